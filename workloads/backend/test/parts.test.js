import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Files, range } from '../src/files.js';
import { hash, matches } from '../src/passwords.js';
import { sameOrigin } from '../src/sessions.js';
import { settings, SettingsError } from '../src/settings.js';
import { Speech } from '../src/tts.js';

const ENVIRONMENT = {
  MYSQL_HOST: 'mysql',
  MYSQL_DATABASE: 'd',
  MYSQL_USER: 'u',
  MYSQL_PASSWORD_FILE: '/run/secrets/m',
  MYSQL_CA_FILE: '/ca.pem',
  REDIS_URL: 'redis://redis:6379',
  REDIS_PASSWORD_FILE: '/run/secrets/r',
  TTS_PROXY_URL: 'http://nginx:8001',
};

test('settings: defaults, and all problems at once', () => {
  const found = settings(ENVIRONMENT, (file) => `content of ${file}\n`);
  assert.deepEqual([found.port, found.mysql.password], [3000, 'content of /run/secrets/m']);
  const wrong = { PORT: '0', MYSQL_PASSWORD: 'x', REDIS_URL: 'redis://:secret@redis', TTS_PROXY_URL: 'ftp://x' };
  const problems = (() => {
    try {
      return settings({ ...ENVIRONMENT, ...wrong, MYSQL_HOST: undefined }, (file) => {
        throw Object.assign(new Error(file), { code: 'ENOENT' });
      });
    } catch (error) {
      assert.ok(error instanceof SettingsError);
      return error.message;
    }
  })();
  for (const word of ['PORT', 'MYSQL_HOST', 'MYSQL_PASSWORD:', 'REDIS_URL', 'TTS_PROXY_URL', 'ENOENT']) {
    assert.match(problems, new RegExp(word));
  }
  assert.doesNotMatch(problems, /secret@/);
});

test('ranges', () => {
  const cases = {
    'bytes=0-': { start: 0, end: 99 },
    'bytes=10-19': { start: 10, end: 19 },
    'bytes=90-500': { start: 90, end: 99 },
    'bytes=-5': { start: 95, end: 99 },
    'bytes=-500': { start: 0, end: 99 },
    'bytes=100-': null,
    'bytes=5-4': null,
    'bytes=-0': null,
    'bytes=-': undefined,
    'bytes=0-1,3-4': undefined,
    'lines=1-2': undefined,
  };
  for (const [text, wanted] of Object.entries(cases)) assert.deepEqual(range(text, 100), wanted, text);
  assert.equal(range(undefined, 100), undefined);
});

test('passwords', async () => {
  const stored = await hash('correct horse');
  assert.notEqual(stored, await hash('correct horse'));
  assert.equal(await matches('correct horse', stored), true);
  assert.equal(await matches('wrong', stored), false);
  assert.equal(await matches('wrong', undefined), false);
});

test('another site’s requests are refused', async () => {
  const request = (origin, host = 'editor.example') => sameOrigin({ headers: { origin, host } });
  await request(undefined);
  await request('https://editor.example');
  await request('https://editor.example:8443');
  for (const origin of ['https://evil.example', 'null', 'https://editor.example.evil.example']) {
    await assert.rejects(request(origin), { status: 403 });
  }
});

test('a file is there whole or not at all; what was left behind goes after a day', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'files-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = new Files({ uploads: folder, temp: folder });
  await assert.rejects(files.receive('a', Readable.from(['x']), () => Promise.reject(new Error('no'))), /no/);
  assert.deepEqual(await readdir(folder), []);
  assert.equal(await files.receive('b', Readable.from(['xy']), async () => 'checked'), 'checked');
  assert.equal(await files.size('b'), 2);
  await writeFile(path.join(folder, '.part-new'), '');
  await writeFile(path.join(folder, '.part-old'), '');
  await utimes(path.join(folder, '.part-old'), 0, 0);
  assert.deepEqual(await new Files({ uploads: folder, temp: await mkdtemp(`${folder}/t`) }).tidy(), ['.part-old']);
});

/** A proxy that answers as told, the speech client before it, and what it was asked. */
async function proxied(t, seconds = 60) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tts-'));
  const answers = [];
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ at: Date.now(), ms: Number(request.headers['x-request-timeout']), ...JSON.parse(body) });
    const { status, text, after, cut, headers } = answers.shift() ?? {};
    if (status === undefined) return;
    if (status === 0) return response.destroy();
    response.writeHead(status, { ...headers, ...(after && { 'retry-after': after }), ...(cut && { 'content-length': 100 }) });
    if (!cut) return response.end(text);
    response.write(text, () => response.destroy());
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections(); // none comes after these
    return Promise.all([rm(folder, { recursive: true }), closed]);
  });
  const url = `http://127.0.0.1:${server.address().port}/`;
  const target = path.join(folder, 'out.wav');
  const save = (signal = new AbortController().signal, within = seconds) =>
    new Speech({ url, seconds: within }).save({ text: 'hello', voice: 'v' }, target, signal);
  return { answers, asked, save, target };
}

const refused = (status, code, after) => ({ status, text: JSON.stringify({ error: { code, message: `it is ${code}`, retryable: true } }), after });

/** The edge's words when no replica of the proxy could be reached. */
const undelivered = (status) => ({ status, text: '<html>', headers: { 'edge-undelivered': 'yes' } });

test('speech: asked for again where nothing was spoken, within the time of all attempts', async (t) => {
  const { answers, asked, save, target } = await proxied(t);
  answers.push(refused(503, 'busy'), undelivered(502), undelivered(504), refused(429, 'rate_limited', '2'), { status: 200, text: 'RIFF' });
  await save();
  assert.equal(await readFile(target, 'utf8'), 'RIFF');
  const { at: _at, ms, ...first } = asked[0];
  assert.deepEqual(first, { provider: 'auto', text: 'hello', voice: 'v', format: 'wav' });
  assert.ok(asked[4].at - asked[3].at >= 1990, 'Retry-After is kept');
  assert.ok(ms <= 60_000 && asked[4].ms < ms - 2000, 'each attempt has what is left');
});

test('speech: what may have been paid for is not asked for again', async (t) => {
  const { answers, asked, save } = await proxied(t);
  const once = [
    [refused(422, 'unprocessable'), 'unprocessable'],
    [refused(504, 'upstream_timeout'), 'upstream_timeout'],
    [refused(502, 'upstream_broken'), 'upstream_broken'],
    [{ status: 504, text: '<html>' }, 'speech_failed'],
    [{ status: 502, text: '<html>' }, 'speech_failed'],
    [{ status: 0 }, 'speech_broken'],
    [{ status: 200, text: 'RIFF', cut: true }, 'speech_broken'],
  ];
  for (const [answer, code] of once) {
    answers.push(answer);
    await assert.rejects(save(), { name: 'Error', code });
    assert.equal(answers.length, 0);
  }
  assert.equal(asked.length, once.length);
});

test('speech: it ends with its time, or with its job', async (t) => {
  const { answers, asked, save } = await proxied(t, 2);
  answers.push(refused(503, 'circuit_open', '60'));
  await assert.rejects(save(undefined, 30), { code: 'circuit_open' }); // no time to wait so long
  const began = Date.now();
  await assert.rejects(save(), { code: 'speech_timeout' });
  assert.ok(Date.now() - began < 100_000, 'within two seconds, or a busy machine’s; a lost signal takes 300');
  answers.push(refused(503, 'busy', '30'));
  const stop = new AbortController();
  const reason = new Error('stopped');
  const stopped = assert.rejects(save(stop.signal, 60), reason);
  while (asked.length < 3) await sleep(10);
  setTimeout(() => stop.abort(reason), 100);
  await stopped;
  assert.equal(asked.length, 3);
});
