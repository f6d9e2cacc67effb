import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { handler } from '../server/main.js';

const FOLDER = new URL('../dist', import.meta.url).pathname;
const state = { draining: false };
const server = createServer(handler(FOLDER, state));
before(() => new Promise((ready) => server.listen(0, '127.0.0.1', ready)));
after(() => server.close());

function ask(path, { method = 'GET', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const options = { port: server.address().port, host: '127.0.0.1', path, method, headers: { connection: 'close', ...headers } };
    request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });
}

const asset = readdirSync(`${FOLDER}/assets`).find((name) => name.endsWith('.js'));

test('hashed assets are kept for ever, and smaller on request', async () => {
  const plain = await ask(`/assets/${asset}`);
  assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.match(plain.headers['content-type'], /javascript/);
  const small = await ask(`/assets/${asset}`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(small.headers['content-encoding'], 'gzip');
  assert.ok(small.body.length < plain.body.length / 2);
  assert.equal(small.headers.vary, 'Accept-Encoding');
});

test('the page is always asked for again, by any of its addresses', async () => {
  const page = await ask('/');
  assert.equal(page.headers['cache-control'], 'no-cache');
  assert.match(page.body.toString(), /<div id="app">/);
  const again = await ask('/', { headers: { 'if-none-match': page.headers.etag } });
  assert.equal(again.status, 304);
  assert.deepEqual((await ask('/projects/7')).body, page.body);
});

test('an asset of another version is missing, not the page', async () => {
  assert.equal((await ask('/assets/index-older.js')).status, 404);
  assert.equal((await ask('/assets/older')).status, 404);
});

test('nothing outside the folder, nothing but reading', async () => {
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/%']) {
    const found = await ask(path);
    assert.ok(!found.body.includes('devDependencies'), path);
  }
  assert.equal((await ask('/', { method: 'POST' })).status, 405);
});

test('health, and the end of it', async () => {
  assert.deepEqual([(await ask('/health')).status, (await ask('/health')).body.toString()], [200, '{"status":"ok"}']);
  state.draining = true;
  const last = await ask('/health');
  assert.deepEqual([last.status, last.headers.connection], [503, 'close']);
  state.draining = false;
});
