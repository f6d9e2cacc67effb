/** Serves both cloud APIs on PORT, and the control API on CONTROL_PORT (0: none), where nobody looks for the first. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { json } from './answers.js';
import { CosyVoice } from './cosyvoice.js';
import { GptSovits } from './gpt-sovits.js';
import { Plan } from './plan.js';

const MOST = 1048576;

function fail(message) {
  console.error(JSON.stringify({ level: 'error', msg: message }));
  process.exit(2);
}

function key(name) {
  const file = process.env[name];
  if (!file) fail(`${name}: missing; the file holds the key that is accepted`);
  try {
    return readFileSync(file, 'utf8').trim() || fail(`${name}=${file}: is empty`);
  } catch (error) {
    return fail(`${name}=${file}: cannot be read (${error.code})`);
  }
}

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MOST) throw new SyntaxError('the body is too large');
    chunks.push(chunk);
  }
  return size ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : undefined;
}

/** A server over handlers that may throw: bad JSON is the client's fault, the rest is ours. */
function serve(port, handle) {
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      const bad = error instanceof SyntaxError || error instanceof TypeError;
      if (!bad) console.error(JSON.stringify({ level: 'error', msg: error.message }));
      if (!response.headersSent && !response.destroyed) json(response, bad ? 400 : 500, { message: error.message });
    });
  });
  server.listen(port, '0.0.0.0');
  return server;
}

const plan = new Plan();
const cosyvoice = new CosyVoice(key('COSYVOICE_CLOUD_API_KEY_FILE'), plan);
const gptSovits = new GptSovits(key('GPT_SOVITS_CLOUD_API_KEY_FILE'), plan);

const api = serve(Number(process.env.PORT || 8090), async (request, response) => {
  const url = new URL(request.url, 'http://stand-in');
  const route = `${request.method} ${url.pathname}`;
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (route === 'GET /health') return json(response, 200, { status: 'ok' });
  if (/^GET \/audio\/[\w-]+\.wav$/.test(route)) return cosyvoice.fetch({ request, response, url });
  const provider = /^POST .*\/services\/audio\/tts\/SpeechSynthesizer$/.test(route) ? cosyvoice : /^POST .*\/tts$/.test(route) ? gptSovits : undefined;
  if (!provider) return json(response, 404, { message: `no such endpoint: ${route}` });
  return provider.synthesize({ request, response, given, body: await bodyOf(request) });
});

const controlPort = Number(process.env.CONTROL_PORT || 8091);
const control = controlPort === 0 ? undefined : serve(controlPort, async (request, response) => {
  const route = `${request.method} ${request.url}`;
  if (route === 'GET /health') return json(response, 200, { status: 'ok' });
  if (route === 'GET /control/seen') return json(response, 200, plan.calls);
  if (route === 'DELETE /control') {
    plan.reset();
    return json(response, 200, {});
  }
  if (route !== 'POST /control') return json(response, 404, { message: `no such endpoint: ${route}` });
  const body = await bodyOf(request);
  if (body === null || typeof body !== 'object') throw new TypeError('a JSON object is needed');
  plan.add(body);
  return json(response, 201, plan.queues);
});

process.once('SIGTERM', () => {
  control?.close();
  control?.closeAllConnections();
  api.close(() => process.exit(0));
  api.closeIdleConnections();
});
console.log(JSON.stringify({ level: 'info', msg: 'stands in for both cloud APIs' }));
