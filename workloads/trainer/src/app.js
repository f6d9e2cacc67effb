/** The application's routes. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Refusal } from './errors.js';
import { only, sign } from './jwt.js';
import { pending } from './migrations.js';
import { hash, matches } from './passwords.js';
import { server } from './server.js';
import { write } from './texts.js';
import { DEFAULT_VOICE, VOICES } from './voices.js';

const PAGE = readFileSync(new URL('../public/index.html', import.meta.url));
const STATISTICS_SECONDS = 60;

const object = (properties, required) => ({ body: { type: 'object', additionalProperties: false, properties, required } });
const line = (most) => ({ type: 'string', minLength: 1, maxLength: most });
const ACCOUNT = object({ email: { ...line(254), pattern: '^[^@\\s]+@[^@\\s]+$' }, password: { type: 'string', minLength: 8, maxLength: 200 } }, ['email', 'password']);
const EXERCISE = object({ topic: { type: 'string', maxLength: 100 }, level: { enum: ['A1', 'A2', 'B1', 'B2', 'C1', 'C2'] } }, []);
const PRACTICE = object({ said: line(5000), heard: { type: 'string', maxLength: 5000 } }, ['said', 'heard']);

/** The share of words that were heard, in any order. */
export function score(said, heard) {
  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  const [wanted, found] = [words(said), words(heard)];
  const hits = wanted.filter((word) => {
    const at = found.indexOf(word);
    if (at >= 0) found.splice(at, 1);
    return at >= 0;
  });
  return wanted.length ? hits.length / wanted.length : 0;
}

/** @param {Record<string, any>} parts see main.js */
export function build({ settings, log, state, db, speech, redis }) {
  const app = server({ log, state, quiet: ['/api/health'] });
  const user = { preHandler: only('user', settings.jwtSecret) };
  const { maxText } = settings.tts;
  const TTS = object({ text: line(maxText), voice: { enum: Object.keys(VOICES) }, speed: { type: 'number', minimum: 0.5, maximum: 2 } }, ['text']);

  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(PAGE));

  app.get('/api/health', async (_request, reply) => {
    const found = { status: 'ok' };
    const problems = [];
    const ask = async (name, act) => {
      try {
        found[name] = await act();
      } catch (error) {
        problems.push(`${name}: ${error.message}`);
      }
    };
    await Promise.all([
      ask('speech', () => speech.state()),
      ask('database', async () => {
        const missing = await pending(db, settings.migrations);
        if (missing.length) throw new Error(`not migrated: ${missing.join(', ')}`);
        return db.state();
      }),
      redis && ask('redis', () => redis.ping()),
    ]);
    if (state.draining) problems.push('draining');
    if (problems.length) reply.code(503);
    return problems.length ? { ...found, status: 'unhealthy', problems } : found;
  });

  app.post('/api/tts', { schema: TTS }, async (request) => {
    const { text, voice = DEFAULT_VOICE, speed = 1 } = request.body;
    if (!text.trim()) throw new Refusal(422, 'silent', 'there is nothing to say in this text');
    const { name, engine, cached } = await speech.say({ text: text.trim(), voice, speed });
    return { url: `/audio/${name}`, engine, cached };
  });

  app.post('/api/exercises', { schema: EXERCISE }, async (request) =>
    write({ topic: request.body.topic, level: request.body.level ?? 'B1' }, settings.cerebras));

  app.post('/api/register', { schema: ACCOUNT }, async (request, reply) => {
    const { email, password } = request.body;
    const id = randomUUID();
    const made = await db.run(
      'INSERT INTO users (id, email, password, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (email) DO NOTHING',
      id, email.toLowerCase(), await hash(password), new Date().toISOString(),
    );
    if (!made) throw new Refusal(409, 'taken', 'this address has an account');
    reply.code(201);
    return { token: sign({ sub: id, role: 'user' }, settings.jwtSecret) };
  });

  app.post('/api/login', { schema: ACCOUNT }, async (request) => {
    const { email, password } = request.body;
    const [found] = await db.all('SELECT id, password FROM users WHERE email = ?', email.toLowerCase());
    if (!(await matches(password, found?.password)) || !found) throw new Refusal(401, 'unauthorized', 'address or password is wrong');
    return { token: sign({ sub: found.id, role: 'user' }, settings.jwtSecret) };
  });

  app.post('/api/practice', { ...user, schema: PRACTICE }, async (request, reply) => {
    const { said, heard } = request.body;
    const made = { id: randomUUID(), said, heard, score: score(said, heard), created_at: new Date().toISOString() };
    await db.run(
      'INSERT INTO practice (id, user_id, said, heard, score, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      made.id, request.who, said, heard, made.score, made.created_at,
    );
    reply.code(201);
    return made;
  });

  app.get('/api/practice', user, async (request) => ({
    practice: await db.all(
      'SELECT id, said, heard, score, created_at FROM practice WHERE user_id = ? ORDER BY created_at DESC LIMIT 100', request.who,
    ),
  }));

  app.get('/api/statistics', async () => {
    const kept = redis && (await redis.get('statistics'));
    if (kept) return JSON.parse(kept);
    const [row] = await db.all('SELECT COUNT(*) AS count, COALESCE(AVG(score), 0) AS score FROM practice');
    const found = { practice: Number(row.count), score: Number(row.score) };
    await redis?.set('statistics', JSON.stringify(found), 'EX', STATISTICS_SECONDS);
    return found;
  });

  return app;
}
