import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, post } from '../src/api.js';

function network(t, ...answers) {
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (url, request) => {
    asked.push(`${request.method ?? 'GET'} ${url}`);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  });
  return asked;
}

const gone = () => new TypeError('Failed to fetch');

test('a question is asked again when the network changes, once', async (t) => {
  const asked = network(t, gone(), Response.json({ name: 'ann' }), gone(), gone());
  assert.deepEqual(await api('/me'), { name: 'ann' });
  assert.deepEqual(asked, ['GET /api/me', 'GET /api/me']);
  await assert.rejects(api('/me'), /Failed to fetch/);
});

test('what changes something is sent once', async (t) => {
  const asked = network(t, gone());
  await assert.rejects(post('/projects', { name: 'x' }), /Failed to fetch/);
  assert.deepEqual(asked, ['POST /api/projects']);
});

test('a refusal is told in the words of the backend', async (t) => {
  network(t, Response.json({ error: { code: 'not_found', message: 'no such job' } }, { status: 404 }));
  await assert.rejects(api('/jobs/1'), { status: 404, code: 'not_found', message: 'no such job' });
});
