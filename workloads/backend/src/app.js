/** The HTTP server from its parts. */
import cookie from '@fastify/cookie';
import multipart from '@fastify/multipart';
import websocket from '@fastify/websocket';
import Fastify from 'fastify';
import { Refusal } from './errors.js';
import { accounts } from './routes/accounts.js';
import { operations } from './routes/operations.js';
import { progress } from './routes/progress.js';
import { projects } from './routes/projects.js';
import { sameOrigin } from './sessions.js';
import { SpeechError } from './tts.js';

const BODY_BYTES = 64 * 1024;
/** Longer than the edge keeps an idle connection: the edge closes first, never under a request. */
const KEEP_ALIVE_MS = 75_000;

/** @param {Record<string, any>} parts see main.js */
export async function build(parts) {
  const { log, settings, metrics, state } = parts;
  const app = Fastify({
    logger: log,
    disableRequestLogging: true,
    requestIdHeader: 'x-request-id',
    bodyLimit: BODY_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // The edge is one hop away; what it says about the client is believed, what the client says is not.
    trustProxy: 1,
    // A request that still comes while the server stops is answered.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, discriminator: true, allowUnionTypes: true } },
  });
  await app.register(cookie);
  await app.register(multipart, { limits: { files: 1, fields: 0, parts: 1, fileSize: settings.uploadBytes } });
  await app.register(websocket, { options: { maxPayload: 1024 } });

  app.addHook('onRequest', async (request, reply) => {
    if (state.draining) reply.header('connection', 'close');
    if (request.ws && state.draining) throw new Refusal(503, 'draining', 'this server is about to stop');
    if (request.ws || !['GET', 'HEAD'].includes(request.method)) await sameOrigin(request);
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    if (route === '/health' || route === '/metrics') return;
    const { method, url, ip } = request;
    request.log.info({ method, url, ip, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
  });
  app.setErrorHandler((error, request, reply) => {
    const { status, code, message } = told(error, settings);
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    return reply.code(status).send({ error: { code, message } });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: { code: 'not_found', message: 'no such address' } }),
  );

  await app.register(operations, parts);
  await app.register(accounts, { ...parts, prefix: '/api' });
  await app.register(projects, { ...parts, prefix: '/api' });
  await app.register(progress, parts);
  return app;
}

/** What a client learns of an error. */
function told(error, settings) {
  if (error instanceof Refusal) return error;
  if (error.validation) return { status: 400, code: 'invalid', message: error.message };
  if (error instanceof SpeechError) return { status: 502, code: error.code, message: error.message };
  if (error.code === 'FST_REQ_FILE_TOO_LARGE') {
    return { status: 413, code: 'too_large', message: `at most ${settings.uploadBytes} bytes are accepted` };
  }
  if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ECONNRESET') {
    return { status: 400, code: 'cut_off', message: 'the upload ended before its time' };
  }
  if (error.statusCode >= 400 && error.statusCode < 500) {
    return { status: error.statusCode, code: 'invalid', message: error.message };
  }
  return { status: 500, code: 'internal', message: 'something broke here; the log tells what' };
}
