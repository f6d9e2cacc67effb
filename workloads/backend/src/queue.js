/**
 * The queue: a Redis stream that holds exactly the jobs that are not finished. What a dead replica had taken is taken
 * over after `lease` seconds; what Redis lost is put back from the database.
 */
const STREAM = 'jobs';
const GROUP = 'workers';
const BLOCK_MS = 2000;

export class Queue {
  /**
   * @param {import('ioredis').Redis} redis
   * @param {import('ioredis').Redis} blocking a connection of its own
   * @param {string} consumer this replica
   * @param {number} lease seconds
   */
  constructor(redis, blocking, consumer, lease) {
    Object.assign(this, { redis, blocking, consumer, lease });
  }

  async prepare() {
    try {
      await this.redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM');
    } catch (error) {
      if (!error.message.startsWith('BUSYGROUP')) throw error;
    }
  }

  /** @param {string} job */
  async add(job) {
    await this.redis.xadd(STREAM, '*', 'job', job);
  }

  /**
   * The next job, first one that a lost replica left behind; undefined when none came for a moment.
   * @returns {Promise<{entry: string, job: string} | undefined>}
   */
  async next() {
    const idle = String(this.lease * 1000);
    const [, left] = await this.redis.xautoclaim(STREAM, GROUP, this.consumer, idle, '0', 'COUNT', '1');
    const entries = left.filter(Boolean);
    if (entries.length) return entry(entries[0]);
    const read = await this.blocking.xreadgroup(
      'GROUP', GROUP, this.consumer, 'COUNT', '1', 'BLOCK', String(BLOCK_MS), 'STREAMS', STREAM, '>',
    );
    return read ? entry(read[0][1][0]) : undefined;
  }

  /** Says that a taken job is still worked on. */
  async keep(id) {
    await this.redis.xclaim(STREAM, GROUP, this.consumer, '0', id, 'JUSTID');
  }

  async done(id) {
    await this.redis.multi().xack(STREAM, GROUP, id).xdel(STREAM, id).exec();
  }

  /** Gives a taken job to whoever asks next. */
  async giveBack(id, job) {
    await this.redis.multi().xadd(STREAM, '*', 'job', job).xack(STREAM, GROUP, id).xdel(STREAM, id).exec();
  }

  /** Leaves the group, when nothing is taken: names of past replicas do not pile up. */
  async leave() {
    const [[, , pending] = []] = await this.redis.xpending(STREAM, GROUP, '-', '+', '1', this.consumer);
    if (pending === undefined) await this.redis.xgroup('DELCONSUMER', STREAM, GROUP, this.consumer);
  }

  /** The jobs in the queue, taken or not. */
  async jobs() {
    const entries = await this.redis.xrange(STREAM, '-', '+');
    return new Set(entries.map((found) => entry(found).job));
  }

  length() {
    return this.redis.xlen(STREAM);
  }
}

const entry = ([id, [, job]]) => ({ entry: id, job });
