/** The parts that need nothing: tokens, places, scores, settings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { score } from '../src/app.js';
import { sign, verify } from '../src/jwt.js';
import { adminSettings, appSettings, migrationSettings } from '../src/settings.js';
import { Slots } from '../src/slots.js';

const SECRET = 'a'.repeat(32);
const files = (name) => ({ '/jwt': SECRET, '/short': 'a'.repeat(31), '/word': 'word', '/ca': 'PEM' })[name] ?? (() => { throw Object.assign(new Error('no'), { code: 'ENOENT' }); })();
const NONE = new AbortController().signal;

test('a token is believed only as it was signed, and for its time', () => {
  const token = sign({ sub: '1', role: 'user' }, SECRET, 0);
  assert.equal(verify(token, SECRET, 1000).sub, '1');
  assert.equal(verify(token, SECRET, 13 * 3600_000), undefined);
  assert.equal(verify(token, 'b'.repeat(32), 1000), undefined);
  const [, body, signature] = token.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  for (const forged of [`${none}.${body}.`, `${none}.${body}.${signature}`, `${token}.x`, '', 'a.b.c']) {
    assert.equal(verify(forged, SECRET, 1000), undefined, forged);
  }
});

test('so many at once, so many wait, the next is refused', async () => {
  const slots = new Slots(2, 1);
  const ends = [];
  const act = () => new Promise((resolve) => { ends.push(resolve); });
  const running = [slots.run(act, NONE), slots.run(act, NONE), slots.run(act, NONE)];
  await assert.rejects(slots.run(act, NONE), { code: 'busy', status: 503 });
  await new Promise(setImmediate);
  assert.deepEqual([slots.taken, slots.waiting, ends.length], [2, 1, 2]);
  ends[0]();
  await running[0];
  await new Promise(setImmediate);
  assert.deepEqual([slots.taken, slots.waiting, ends.length], [2, 0, 3]);
  ends[1]();
  ends[2]();
  await Promise.all(running);
  assert.deepEqual([slots.taken, slots.most], [0, 2]);
});

test('who gives up waiting takes no place', async () => {
  const slots = new Slots(1, 5);
  let end;
  const first = slots.run(() => new Promise((resolve) => { end = resolve; }), NONE);
  const patience = new AbortController();
  const second = slots.run(() => 'never', patience.signal);
  patience.abort(new Error('gave up'));
  await assert.rejects(second, /gave up/);
  end();
  await first;
  assert.deepEqual([slots.taken, slots.waiting], [0, 0]);
});

test('a score is the share of words that were heard', () => {
  assert.equal(score('The train leaves at nine.', 'the TRAIN leaves, at nine'), 1);
  assert.equal(score('one two two', 'two'), 1 / 3);
  assert.equal(score('one', ''), 0);
});

test('all that is wrong with settings is told together, and no secret', () => {
  const env = { JWT_SECRET_FILE: '/short', JWT_SECRET: 'plain-text', KOKORO_DEVICE: 'tpu', KOKORO_TTS_MAX_CONCURRENCY: '0', DATABASE_URL: 'mysql://x' };
  assert.throws(() => appSettings(env, files), (error) => {
    assert.deepEqual(error.message.split('\n').map((line) => line.split(/[ :,]/)[0]), [
      'JWT_SECRET', 'DATABASE_URL', 'JWT_SECRET_FILE', 'KOKORO_DEVICE', 'KOKORO_TTS_MAX_CONCURRENCY',
    ]);
    assert.match(error.message, /31 bytes, allowed: 32 or more/);
    assert.doesNotMatch(error.message, /plain-text|aaaa/);
    return true;
  });
});

test('either database is named by its address, never with a password', () => {
  assert.deepEqual(migrationSettings({}, files).database, { kind: 'sqlite', path: '/app/data/trainer.db' });
  const url = 'postgresql://trainer@postgres:5432/trainer?sslmode=verify-full&sslrootcert=/ca';
  const { database } = migrationSettings({ DATABASE_URL: url, DATABASE_PASSWORD_FILE: '/word' }, files);
  assert.deepEqual(database, { kind: 'postgresql', host: 'postgres', port: 5432, user: 'trainer', database: 'trainer', password: 'word', authority: 'PEM' });
  const told = { DATABASE_URL: 'postgresql://trainer:hunter2@postgres/trainer', DATABASE_PASSWORD_FILE: '/word' };
  assert.throws(() => migrationSettings(told, files), (error) => /must not hold a password/.test(error.message) && !/hunter2/.test(error.message));
  assert.throws(() => adminSettings({ JWT_SECRET_FILE: '/jwt', ADMIN_PASSWORD_FILE: '/word' }, files), /ADMIN_EMAIL is missing/);
});
