/** Starts everything, and stops it so that nothing is lost. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { build } from './app.js';
import { connect as connectDatabase, migrate } from './database.js';
import { Events } from './events.js';
import { Files } from './files.js';
import { logger } from './log.js';
import { createMetrics } from './metrics.js';
import { Queue } from './queue.js';
import { another, connect as connectRedis, listening } from './redis.js';
import { Runner } from './runner.js';
import { Sessions } from './sessions.js';
import { settings as read, SettingsError } from './settings.js';
import { Store } from './store.js';
import { Speech } from './tts.js';

const START_SECONDS = 60;
const SWEEP_MS = 200;

/** Tries again while what it needs starts up; the last failure ends the process with its cause. */
async function patiently(what, log, act) {
  const end = Date.now() + START_SECONDS * 1000;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      log.warn({ code: error.code, reason: error.message }, `${what} cannot be used yet`);
      if (Date.now() > end) throw new Error(`${what}: ${error.message}`, { cause: error });
      await wait(1000);
    }
  }
}

async function start() {
  const settings = read();
  const log = logger(settings);
  const pool = connectDatabase(settings.mysql);
  const redis = connectRedis(settings.redis, log);
  const state = { draining: false };
  const store = new Store(pool);
  const files = new Files(settings);
  const speech = new Speech(settings.tts);
  const metrics = createMetrics();
  const queue = new Queue(redis, another(redis, log), `${hostname()}-${randomBytes(4).toString('hex')}`, settings.lease);
  const events = new Events(redis, listening(redis, log), log);
  const sessions = new Sessions(redis, settings.sessionSeconds);
  const cache = async (key, seconds, make) => {
    const found = await redis.get(`cache:${key}`);
    if (found) return JSON.parse(found);
    const made = await make();
    await redis.set(`cache:${key}`, JSON.stringify(made), 'EX', seconds);
    return made;
  };

  await patiently('the database', log, () => migrate(pool, log));
  await patiently('redis', log, () => queue.prepare());
  const abandoned = await files.tidy();
  if (abandoned.length) log.info({ abandoned }, 'removed what was left behind');
  const parts = { settings, log, state, store, files, speech, metrics, queue, events, sessions, cache, redis };
  const runner = new Runner(parts);
  const app = await build(parts);
  await app.listen({ host: settings.host, port: settings.port });
  runner.start();

  const stop = async (signal) => {
    if (state.draining) return;
    state.draining = true;
    log.info({ signal }, 'draining');
    // Whoever sends requests learns it from /health and from `Connection: close` before the port closes.
    const stopped = runner.stop(settings.stopGrace);
    await wait(settings.drain * 1000);
    events.goAway();
    // A connection that was busy may become idle later; nobody would close it for a minute.
    setInterval(() => app.server.closeIdleConnections(), SWEEP_MS).unref();
    await app.close();
    await stopped;
    await pool.end();
    for (const connection of [redis, events.subscriber, queue.blocking]) connection.disconnect();
    log.info('stopped');
    log.flush();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop(signal).catch(fail));
}

function fail(error) {
  const lines = error instanceof SettingsError ? error.message.split('\n') : [error.message];
  for (const message of lines) process.stderr.write(`${JSON.stringify({ level: 'fatal', msg: message })}\n`);
  process.exit(1);
}

start().catch(fail);
