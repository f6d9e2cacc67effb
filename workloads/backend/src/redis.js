/** The connection to Redis: sessions, cache, queue, events. */
import { Redis } from 'ioredis';

/**
 * @param {{url: string, password: string}} settings
 * @param {import('pino').Logger} log
 */
export function connect({ url, password }, log) {
  const redis = new Redis(url, {
    password,
    maxRetriesPerRequest: 2,
    connectTimeout: 5000,
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

function watched(redis, log) {
  redis.on('error', (error) => log.warn({ code: error.code, reason: error.message }, 'redis'));
  return redis;
}
