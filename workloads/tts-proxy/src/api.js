/** The API on PORT: POST /v1/speech, GET /v1/voices, GET /health. */

import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { deadlineOf } from './budget.js';
import { Failure } from './failure.js';
import { speak } from './speech.js';

const SPEECH = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: {
    provider: { enum: ['cosyvoice', 'gpt-sovits', 'auto'] },
    text: { type: 'string' },
    voice: { type: 'string', minLength: 1, maxLength: 100 },
    format: { enum: ['wav'] },
    speed: { type: 'number', minimum: 0.5, maximum: 2 },
  },
};

/** What a caller may not say although its shape is right. */
export function checkText(text, maxText) {
  const length = [...text].length;
  if (!text.trim()) throw new Failure('unprocessable', 'text: nothing to say');
  if (length > maxText) throw new Failure('unprocessable', `text: ${length} characters; at most ${maxText} are allowed`);
}

/** Any error as a Failure, keeping what Fastify says of bad requests. */
export function asFailure(error) {
  if (error instanceof Failure) return error;
  if (error.validation) return new Failure('bad_request', error.message.replace(/^body\/?/, '').replaceAll('/', '.'));
  if (error.statusCode >= 400 && error.statusCode < 500) {
    const failure = new Failure('bad_request', error.message);
    failure.status = error.statusCode;
    return failure;
  }
  return new Failure('internal', 'the proxy failed; its log tells why');
}

/** The caller's signal: aborts when its connection goes before the answer is complete. */
function callerOf(reply) {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Failure('cancelled', 'the caller went away'));
  });
  return controller.signal;
}

/** @param state {draining} */
export function buildApi({ settings, providers, meter, state, logger }) {
  const { voices } = settings;
  const app = Fastify({
    logger,
    disableRequestLogging: true,
    bodyLimit: 262144,
    requestTimeout: 30000,
    // A connection that is already open is served to its end while the port closes.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return /^[\w.-]{1,64}$/.test(given ?? '') ? given : randomUUID();
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  });
  app.removeContentTypeParser('text/plain');

  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (state.draining) reply.header('connection', 'close');
  });
  app.setErrorHandler((error, request, reply) => {
    const failure = asFailure(error);
    if (failure.code === 'internal') request.log.error({ err: error }, 'failed');
    if (failure.retryAfter !== undefined) reply.header('retry-after', failure.retryAfter);
    return reply.code(failure.status).send(failure.body());
  });
  app.setNotFoundHandler((request, reply) => reply.code(404).send({
    error: { code: 'not_found', message: `${request.method} ${request.url.split('?')[0]}: no such endpoint`, retryable: false },
  }));

  app.get('/health', async (request, reply) => {
    if (state.draining) reply.code(503);
    return { status: state.draining ? 'draining' : 'ok' };
  });

  app.get('/v1/voices', async () => ({
    voices: Object.entries(voices).flatMap(([provider, list]) => list.map(({ id, name, languages }) => ({ provider, id, name, languages }))),
  }));

  app.post('/v1/speech', { schema: { body: SPEECH } }, async (request, reply) => {
    const started = Date.now();
    const { provider = 'auto', text, voice, speed = 1 } = request.body;
    const done = (name, outcome, extra) => {
      const ms = Date.now() - started;
      meter.request(name, outcome, ms);
      const level = outcome === 'ok' || outcome === 'cancelled' ? 'info' : 'warn';
      request.log[level]({ provider: name, outcome, ms, characters: text.length, ...extra }, 'speech');
    };
    const signal = callerOf(reply);
    let answer;
    try {
      checkText(text, settings.maxText);
      const deadline = deadlineOf(request.headers, { now: started, defaultMs: settings.timeoutMs, maxMs: settings.maxTimeoutMs });
      if (deadline <= started) throw new Failure('deadline_exceeded', 'the deadline had passed on arrival');
      const options = { providers, voices, deadline, signal, log: request.log };
      answer = await speak({ text, voice, speed, provider }, options);
      if (signal.aborted) {
        answer.release();
        answer.audio.stream.destroy();
        throw signal.reason;
      }
    } catch (error) {
      const failure = asFailure(error);
      done(failure.provider ?? provider, failure.code, { reason: failure.message });
      throw error;
    }
    const { stream, length } = answer.audio;
    let broken;
    stream.once('error', (error) => { broken = error; });
    reply.raw.once('close', () => {
      answer.release();
      stream.destroy();
      if (reply.raw.writableFinished) meter.bytes.inc({ provider: answer.provider }, length);
      const outcome = reply.raw.writableFinished ? 'ok' : broken ? asFailure(broken).code : 'cancelled';
      done(answer.provider, outcome, broken ? { reason: broken.message } : { bytes: length });
    });
    return reply.headers({ 'content-type': 'audio/wav', 'content-length': length, 'x-tts-provider': answer.provider }).send(stream);
  });
  return app;
}
