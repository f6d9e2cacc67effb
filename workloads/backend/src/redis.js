/** The connection to Redis: sessions, cache, queue, events. */
import { Redis } from 'ioredis';

/** A machine that vanishes says no goodbye: a connection that owes an answer for so long is made anew. */
const SILENCE_MS = 10_000;
const PING_MS = 5000;

/**
 * @param {{url: string, password: string}} settings
 * @param {import('pino').Logger} log
 */
export function connect({ url, password }, log) {
  const redis = new Redis(url, {
    password,
    maxRetriesPerRequest: 2,
    connectTimeout: 5000,
    socketTimeout: SILENCE_MS,
    retryStrategy: (times) => Math.min(100 * 2 ** times, 2000),
  });
  return watched(redis, log);
}

/**
 * A second connection, for a command that blocks or a subscription; it waits for Redis to come back.
 * @param {Redis} redis
 * @param {import('pino').Logger} log
 */
export const another = (redis, log) => watched(redis.duplicate({ maxRetriesPerRequest: null }), log);

/**
 * A connection that hears what is published: nothing may be owed to it for hours, so it asks.
 * @param {Redis} redis
 * @param {import('pino').Logger} log
 */
export function listening(redis, log) {
  const subscriber = another(redis, log);
  const ask = () => subscriber.status === 'ready' && subscriber.ping().catch(() => {});
  const asking = setInterval(ask, PING_MS);
  subscriber.once('end', () => clearInterval(asking));
  return subscriber;
}

function watched(redis, log) {
  redis.on('error', (error) => log.warn({ code: error.code, reason: error.message }, 'redis'));
  return redis;
}
