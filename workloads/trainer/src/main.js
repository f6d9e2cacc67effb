/** `trainer-app`: the application. */
import { Redis } from 'ioredis';
import { build } from './app.js';
import { open } from './database.js';
import { fail, logger } from './log.js';
import { endInPeace } from './server.js';
import { appSettings } from './settings.js';
import { Speech } from './speech.js';

/** A machine that vanishes says no goodbye: a connection that owes an answer for so long is made anew. */
const REDIS_SILENCE_MS = 5000;

async function start() {
  const settings = appSettings();
  const log = logger();
  const state = { draining: false };
  const db = open(settings.database, log);
  const speech = new Speech({ tts: settings.tts, audio: settings.audio, log });
  const redis =
    settings.redis &&
    new Redis(settings.redis.url, {
      password: settings.redis.password,
      maxRetriesPerRequest: 2,
      socketTimeout: REDIS_SILENCE_MS,
    });
  redis?.on('error', (error) => log.warn({ reason: error.message }, 'redis cannot be used'));
  const app = build({ settings, log, state, db, speech, redis });
  const after = async () => {
    speech.stop();
    redis?.disconnect();
    await db.close();
  };
  endInPeace(app, { log, state, drainMs: settings.drainMs, after });
  await app.listen({ host: '0.0.0.0', port: settings.port });
  log.info({ database: db.kind, device: settings.tts.device, concurrency: settings.tts.concurrency }, 'listening');
}

start().catch(fail);
