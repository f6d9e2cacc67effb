/** Answers, right and wrong, on the wire. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sized } from './voice.js';

/** Sends JSON. */
export function json(response, status, value, headers = {}) {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

/** Each API's words for an error. */
export const WORDS = {
  cosyvoice: (code, message) => ({ code, message, request_id: randomUUID() }),
  'cosyvoice-audio': (code, message) => ({ code, message }),
  'gpt-sovits': (code, message) => ({ message: code === 'InferenceFailed' ? 'tts failed' : message, ...(code === 'InferenceFailed' && { Exception: message }) }),
};

function broken(response, type, body, { promised = body.length, sent = body.length, cut = false }) {
  response.writeHead(200, { 'content-type': type, 'content-length': promised });
  response.write(body.subarray(0, sent), () => {
    if (cut) response.destroy();
    else response.end();
  });
}

/**
 * Answers as `step` says; returns true when that is all. `good` is what a right answer would hold: a Buffer of
 * sound or an object for JSON. `key` is the caller's, which some APIs repeat when they refuse it.
 */
export async function misbehave(step, { request, response, provider, key, good }) {
  const words = WORDS[provider];
  const isSound = Buffer.isBuffer(good);
  const type = isSound ? 'audio/wav' : 'application/json';
  const body = isSound ? sized(good) : Buffer.from(JSON.stringify(good));
  const half = Math.floor(body.length / 2);
  switch (step.behaviour) {
    case 'ok':
      return false;
    case 'slow': {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      await sleep(step.delay_ms, undefined, { signal: gone.signal }).catch(() => {});
      return response.destroyed;
    }
    case 'stalled':
      response.writeHead(200, { 'content-type': type, 'content-length': body.length });
      response.write(body.subarray(0, half));
      return true;
    case 'rate_limited':
      json(response, 429, words('Throttling.RateQuota', 'Requests rate limit exceeded, please try again later.'), { 'retry-after': String(step.retry_after) });
      return true;
    case 'error_500':
      json(response, 500, words('InternalError', 'An internal error has occurred.'));
      return true;
    case 'failed_inference':
      json(response, 400, words('InferenceFailed', 'CUDA out of memory'));
      return true;
    case 'wrong_key':
      json(response, 401, words('InvalidApiKey', `Incorrect API key provided: ${key}`));
      return true;
    case 'broken_json':
      broken(response, 'application/json', Buffer.from('{"output": {"audio": '), {});
      return true;
    case 'cut':
      request.socket.destroy();
      return true;
    case 'truncated':
      broken(response, type, body, { sent: half, cut: true });
      return true;
    case 'short':
      broken(response, type, body, { promised: half, sent: half });
      return true;
    case 'unsized':
      broken(response, type, isSound ? good : body, {});
      return true;
    case 'wrong_type':
      broken(response, 'text/html', Buffer.from('<html><body>Bad gateway</body></html>'), {});
      return true;
    case 'not_audio':
      broken(response, type, isSound ? Buffer.alloc(body.length, 'noise ') : Buffer.from('{"output": {}}'), {});
      return true;
    default:
      throw new TypeError(`no such behaviour: ${step.behaviour}`);
  }
}
