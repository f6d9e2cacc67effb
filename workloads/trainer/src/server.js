/** What both servers have in common: errors as JSON, a log line for each request, an end in peace. */
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { Refusal } from './errors.js';

const BODY_BYTES = 64 * 1024;
/** Longer than the edge keeps an idle connection: the edge closes first, never under a request. */
const KEEP_ALIVE_MS = 75_000;
const SWEEP_MS = 200;

export function server({ log, state, quiet = [] }) {
  const app = Fastify({
    logger: log,
    disableRequestLogging: true,
    requestIdHeader: 'x-request-id',
    bodyLimit: BODY_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    trustProxy: 1,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });
  app.addHook('onRequest', async (_request, reply) => {
    if (state.draining) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, url, ip } = request;
    if (!quiet.includes(url)) request.log.info({ method, url, ip, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
  });
  app.setErrorHandler((error, request, reply) => {
    const { status, code, message, headers } = told(error);
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    return reply.code(status).headers(headers ?? {}).send({ error: { code, message } });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: { code: 'not_found', message: 'no such address' } }));
  return app;
}

/** What a client learns of an error. */
function told(error) {
  if (error instanceof Refusal) return error;
  if (error.validation) return { status: 400, code: 'invalid', message: error.message };
  if (error.statusCode >= 400 && error.statusCode < 500) return { status: error.statusCode, code: 'invalid', message: error.message };
  return { status: 500, code: 'internal', message: 'something broke here; the log tells what' };
}

/** Stops accepting on a signal, finishes what runs, then ends the process. */
export function endInPeace(app, { log, state, drainMs = 0, after = async () => {} }) {
  const stop = async (signal) => {
    if (state.draining) return;
    state.draining = true;
    log.info({ signal }, 'draining');
    await sleep(drainMs);
    // A connection that was busy may become idle later; nobody would close it for a minute.
    setInterval(() => app.server.closeIdleConnections(), SWEEP_MS).unref();
    await app.close();
    await after();
    log.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop);
}
