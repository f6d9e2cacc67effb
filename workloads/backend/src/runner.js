/** Takes jobs from the queue, one at a time, and leads each to its end. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { render } from './audio/render.js';
import { Refusal } from './errors.js';
import { SpeechError } from './tts.js';

const SWEEP_MS = 10_000;
const SPEECH_SHARE = 60;

class Lost extends Error {}
class Stopped extends Error {}

export class Runner {
  /**
   * @param {{store: import('./store.js').Store, queue: import('./queue.js').Queue, files: import('./files.js').Files,
   *   speech: import('./tts.js').Speech, events: import('./events.js').Events, metrics: any, log: import('pino').Logger,
   *   settings: {lease: number, attempts: number, jobSeconds: number}}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.stopping = false;
    this.current = undefined;
  }

  start() {
    this.loop = this.#run();
    this.sweeper = setInterval(() => this.#sweep().catch((error) => this.#trouble(error)), SWEEP_MS);
  }

  /** Takes no further job, and gives the running one back when it is not done within `seconds`. */
  async stop(seconds) {
    this.stopping = true;
    clearInterval(this.sweeper);
    this.queue.blocking.disconnect();
    const timer = setTimeout(() => this.current?.abort(new Stopped('the server stops')), seconds * 1000);
    await this.loop;
    clearTimeout(timer);
    await this.queue.leave().catch((error) => this.#trouble(error));
  }

  async #run() {
    while (!this.stopping) {
      try {
        const taken = await this.queue.next();
        if (taken) await this.#take(taken);
      } catch (error) {
        if (this.stopping) return;
        this.#trouble(error);
        await wait(1000);
        // A Redis that lost its data lost the group with it.
        if (error.message.startsWith('NOGROUP')) await this.queue.prepare().catch((again) => this.#trouble(again));
      }
    }
  }

  /** Puts into the queue what the database knows and Redis does not. */
  async #sweep() {
    const open = await this.store.unfinished(SWEEP_MS / 1000);
    if (!open.length) return;
    const queued = await this.queue.jobs();
    for (const id of open.filter((job) => !queued.has(job))) {
      this.log.warn({ job: id }, 'job was not in the queue');
      await this.queue.add(id);
    }
  }

  async #take({ entry, job: id }) {
    const claim = randomUUID();
    const job = await this.store.claim(id, claim);
    if (!job) return this.queue.done(entry);
    const abort = (this.current = new AbortController());
    Object.assign(this, { percent: 0, step: 'started' });
    const beat = setInterval(() => this.#beat(entry, id, claim, abort), (this.settings.lease * 1000) / 3);
    const { jobSeconds } = this.settings;
    const late = new Refusal(504, 'took_too_long', `the edit was not done within ${jobSeconds} s`);
    const timer = setTimeout(() => abort.abort(late), jobSeconds * 1000);
    const log = this.log.child({ job: id, attempt: job.attempts });
    const end = this.metrics.jobSeconds.startTimer();
    log.info('job started');
    try {
      const { file, outcome } = await this.#work(job, claim, abort);
      await this.queue.done(entry);
      await this.#tell(job, { status: 'done', percent: 100, step: 'done', result: file.id });
      log.info({ seconds: outcome.seconds, bytes: outcome.bytes }, 'job done');
      this.metrics.jobs.inc({ outcome: 'done' });
    } catch (error) {
      await this.#ended(error, { entry, id, claim, job, log });
    } finally {
      clearInterval(beat);
      clearTimeout(timer);
      end();
      this.current = undefined;
    }
  }

  async #beat(entry, id, claim, abort) {
    try {
      await this.queue.keep(entry);
      if (!(await this.store.progress(id, claim, this.percent, this.step))) abort.abort(new Lost('taken over'));
    } catch (error) {
      this.#trouble(error);
    }
  }

  async #work(job, claim, abort) {
    const { signal } = abort;
    if (job.attempts > this.settings.attempts) {
      throw new Refusal(500, 'gave_up', `the edit did not finish in ${this.settings.attempts} attempts`);
    }
    const folder = await this.files.workshop(claim);
    try {
      const progress = (percent, step) => this.#progress(job, claim, abort, percent, step);
      await progress(1, 'started');
      const speeches = await this.#speak(job.operations, folder, progress, signal);
      const from = speeches.some(Boolean) ? SPEECH_SHARE : 1;
      const output = path.join(folder, 'result.wav');
      const source = job.source && this.files.path(job.source);
      let told = Promise.resolve();
      const report = (share, step) => {
        told = told.then(() => progress(Math.round(from + (98 - from) * share), step)).catch((error) => this.#trouble(error));
      };
      const outcome = await render({ source, operations: job.operations, speeches, output }, report, signal);
      await told;
      const file = { ...outcome, id: randomUUID(), project: job.project, kind: 'result', name: `edit-${job.id.slice(0, 8)}.wav` };
      await this.files.keep(file.id, output);
      if (await this.store.finish(job.id, claim, file)) return { file, outcome };
      await this.files.remove(file.id);
      throw new Lost('finished elsewhere');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #speak(operations, folder, progress, signal) {
    const paths = operations.map((operation, i) =>
      operation.type === 'speech' ? path.join(folder, `speech-${i}.wav`) : null,
    );
    const total = paths.filter(Boolean).length;
    let done = 0;
    for (const [i, target] of paths.entries()) {
      if (!target) continue;
      await progress(Math.max(2, Math.round((SPEECH_SHARE * done) / total)), 'speech');
      await this.speech.save(operations[i], target, signal);
      done += 1;
    }
    return paths;
  }

  async #progress(job, claim, abort, percent, step) {
    Object.assign(this, { percent, step });
    if (!(await this.store.progress(job.id, claim, percent, step))) {
      abort.abort(new Lost('taken over'));
      return;
    }
    await this.#tell(job, { status: 'running', percent, step });
  }

  async #ended(error, { entry, id, claim, job, log }) {
    if (error instanceof Lost) {
      log.warn('another replica has this job');
      this.metrics.jobs.inc({ outcome: 'lost' });
      return;
    }
    const stopped = error instanceof Stopped;
    if (stopped || !(error instanceof Refusal || error instanceof SpeechError)) {
      if (!stopped) log.error({ err: error }, 'job broke');
      // A broken attempt stays taken: it is tried again when the lease is over, not at once.
      if ((await this.store.giveBack(id, claim, !stopped)) && stopped) await this.queue.giveBack(entry, id);
      await this.#tell(job, { status: 'queued', percent: 0, step: 'waiting' });
      this.metrics.jobs.inc({ outcome: 'given_back' });
      log.info('job given back');
      return;
    }
    if (await this.store.fail(id, claim, error.code, error.message)) {
      await this.#tell(job, { status: 'failed', step: 'failed', error: { code: error.code, message: error.message } });
    }
    await this.queue.done(entry);
    this.metrics.jobs.inc({ outcome: 'failed' });
    log.warn({ code: error.code, reason: error.message }, 'job failed');
  }

  /** An event that is lost costs a jump of the bar: clients ask again when they come back. */
  async #tell(job, change) {
    const event = { type: 'job', job: { id: job.id, project: job.project, ...change } };
    await this.events.publish(job.user, event).catch((error) => this.#trouble(error));
  }

  #trouble(error) {
    this.log.warn({ code: error.code, reason: error.message }, 'queue');
  }
}
