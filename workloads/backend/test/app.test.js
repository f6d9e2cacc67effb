import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { build } from '../src/app.js';
import { createMetrics } from '../src/metrics.js';
import { Sessions } from '../src/sessions.js';

const PROJECT = '00000000-0000-4000-8000-000000000001';

/** Redis as far as sessions need it. */
function memory() {
  const values = new Map();
  return {
    values,
    ping: async () => 'PONG',
    set: async (key, value) => values.set(key, value),
    getex: async (key) => values.get(key),
    del: async (key) => values.delete(key),
    multi: () => ({ incr: () => ({ expire: () => ({ exec: async () => [[null, (values.count = (values.count ?? 0) + 1)]] }) }) }),
  };
}

async function server(t) {
  const lines = [];
  const redis = memory();
  const store = {
    ping: async () => {},
    addUser: async (name) => ({ id: 'u1', name }),
    userByName: async () => undefined,
    project: async (user, id) => ({ id, user }),
    addJob: async (user, project, source, operations) => ({ id: 'j1', source, operations }),
    projects: async (user) => [{ user }],
  };
  const parts = {
    log: pino({}, { write: (line) => lines.push(line) }),
    settings: { uploadBytes: 1024 },
    metrics: createMetrics(),
    state: { draining: false },
    queue: { length: async () => 3, add: async () => Promise.reject(new Error('no redis now')) },
    sessions: new Sessions(redis, 60),
    store,
    redis,
  };
  const app = await build(parts);
  t.after(() => app.close());
  const ask = (method, url, payload, headers = {}) => app.inject({ method, url, payload, headers });
  const register = async () => {
    const answer = await ask('POST', '/api/register', { name: 'ann', password: 'very secret' });
    return { cookie: answer.headers['set-cookie'].split(';')[0], answer };
  };
  return { ask, register, parts, lines, redis };
}

test('a session: cookie, user, end; the token is neither in Redis nor in the log', async (t) => {
  const { ask, register, lines, redis } = await server(t);
  assert.equal((await ask('GET', '/api/projects')).statusCode, 401);
  const { cookie, answer } = await register();
  assert.match(answer.headers['set-cookie'], /HttpOnly; SameSite=Strict/);
  assert.deepEqual((await ask('GET', '/api/projects', undefined, { cookie })).json(), { projects: [{ user: 'u1' }] });
  const token = cookie.split('=')[1];
  assert.ok(![...redis.values.keys(), ...redis.values.values()].some((text) => text.includes(token)));
  assert.equal((await ask('POST', '/api/logout', undefined, { cookie })).statusCode, 204);
  assert.equal((await ask('GET', '/api/me', undefined, { cookie })).statusCode, 401);
  assert.ok(!lines.join('').includes(token) && !lines.join('').includes('very secret'));
});

test('behind TLS the cookie is for TLS alone', async (t) => {
  const { ask } = await server(t);
  const body = { name: 'ann', password: 'very secret' };
  const answer = await ask('POST', '/api/register', body, { 'x-forwarded-proto': 'https' });
  assert.match(answer.headers['set-cookie'], /Secure/);
});

test('guessing is slowed down', async (t) => {
  const { ask } = await server(t);
  const codes = [];
  for (let i = 0; i < 11; i++) {
    codes.push((await ask('POST', '/api/login', { name: 'ann', password: 'guess' })).json().error.code);
  }
  assert.deepEqual([codes[0], codes.at(-1)], ['wrong_login', 'too_many_logins']);
});

test('input that is not asked for is refused with its path', async (t) => {
  const { ask, register } = await server(t);
  const { cookie } = await register();
  const wrong = [
    { operations: [] },
    { operations: [{ type: 'trim', start: '1' }] },
    { operations: [{ type: 'reverse' }] },
    { operations: [{ type: 'gain', db: 400 }] },
    { operations: [{ type: 'gain', db: 4, more: 1 }] },
    { operations: [{ type: 'speech', text: ' ' }] },
    { source: '../../etc/passwd', operations: [{ type: 'gain', db: 1 }] },
  ];
  for (const payload of wrong) {
    const answer = await ask('POST', `/api/projects/${PROJECT}/jobs`, payload, { cookie });
    assert.deepEqual([answer.statusCode, answer.json().error.code], [400, 'invalid'], JSON.stringify(payload));
    assert.match(answer.json().error.message, /^body/);
  }
  assert.equal((await ask('GET', '/api/projects/1', undefined, { cookie })).statusCode, 400);
  assert.equal((await ask('POST', '/api/register', { name: 'a b', password: '12345678' })).statusCode, 400);
  assert.equal((await ask('GET', '/nothing')).json().error.code, 'not_found');
});

test('a job is accepted though Redis is away: the database has it', async (t) => {
  const { ask, register } = await server(t);
  const { cookie } = await register();
  const operations = [{ type: 'speech', text: 'hello' }, { type: 'fade', in: 1 }];
  const answer = await ask('POST', `/api/projects/${PROJECT}/jobs`, { operations }, { cookie });
  assert.deepEqual([answer.statusCode, answer.json()], [202, { id: 'j1', source: null, operations }]);
  const edit = await ask('POST', `/api/projects/${PROJECT}/jobs`, { operations: [operations[1]] }, { cookie });
  assert.deepEqual([edit.statusCode, edit.json().error.code], [422, 'no_audio']);
});

test('health: what it needs, and the end', async (t) => {
  const { ask, parts } = await server(t);
  assert.deepEqual((await ask('GET', '/health')).json(), { status: 'ok', checks: { database: 'ok', redis: 'ok' } });
  parts.store.ping = async () => Promise.reject(Object.assign(new Error(), { code: 'ECONNREFUSED' }));
  const unwell = await ask('GET', '/health');
  assert.deepEqual([unwell.statusCode, unwell.json().checks.database], [503, 'ECONNREFUSED']);
  parts.store.ping = async () => {};
  parts.state.draining = true;
  const last = await ask('GET', '/health');
  assert.deepEqual([last.statusCode, last.json().status, last.headers.connection], [503, 'draining', 'close']);
});

test('metrics by route, never by address', async (t) => {
  const { ask, register } = await server(t);
  const { cookie } = await register();
  await ask('GET', `/api/projects/${PROJECT}x`, undefined, { cookie });
  const { body } = await ask('GET', '/metrics');
  assert.match(body, /jobs_unfinished 3/);
  assert.match(body, /route="\/api\/projects\/:id",status="400"/);
  assert.ok(!body.includes(PROJECT));
});
