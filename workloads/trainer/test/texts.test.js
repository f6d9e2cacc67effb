import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { write } from '../src/texts.js';

test('texts: ours, or written by Cerebras, whose failures are named', async (t) => {
  const asked = [];
  let answer;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ path: request.url, key: request.headers.authorization, ...JSON.parse(body) });
    response.writeHead(answer.status).end(answer.text);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    return closed;
  });
  const cerebras = { url: `http://127.0.0.1:${server.address().port}/v1`, model: 'm', key: 'k' };
  const wanted = { topic: 'trains', level: 'B1' };

  assert.equal((await write(wanted)).source, 'built-in');
  answer = { status: 200, text: JSON.stringify({ choices: [{ message: { content: ' Mind the gap. ' } }] }) };
  assert.deepEqual(await write(wanted, cerebras), { text: 'Mind the gap.', source: 'cerebras' });
  const [{ messages, ...first }] = asked;
  assert.deepEqual(first, { path: '/v1/chat/completions', key: 'Bearer k', model: 'm', max_tokens: 300 });
  assert.match(messages[0].content, /level B1 about trains/);
  answer = { status: 429, text: 'k is over its limit' };
  await assert.rejects(write(wanted, cerebras), { code: 'writer_refused', message: 'Cerebras answered 429' });
  answer = { status: 200, text: '{}' };
  await assert.rejects(write(wanted, cerebras), { code: 'writer_broken' });
  await assert.rejects(write(wanted, { ...cerebras, url: 'http://127.0.0.1:1/v1' }), {
    code: 'writer_unreachable',
    message: 'Cerebras cannot be reached (ECONNREFUSED)',
  });
});
