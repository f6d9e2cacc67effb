/** Speech from the tts-proxy. */
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
// Not fetch: Node's own forgets its signal at a garbage collection, and ends after five minutes (nodejs/undici#3644).
import { request } from 'undici';

// The proxy tries the cloud again by itself where that is safe; what else failed may have been paid for.
const AGAIN = new Set(['speech_unreachable', 'busy', 'circuit_open', 'rate_limited']);
// Nobody was reached: as often as it happens, nothing was paid for.
const UNCONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 8000;
const LEAST_MS = 1000;
const MAX_BYTES = 32 * 2 ** 20;

/** What the proxy refused, in its words. `after`: the ms that it wants us to wait. */
export class SpeechError extends Error {
  constructor(code, message, after) {
    super(message);
    Object.assign(this, { code, after });
  }
}

export class Speech {
  /** @param {{url: string, seconds: number}} settings seconds: for all attempts of one speech */
  constructor({ url, seconds }) {
    Object.assign(this, { url: url.replace(/\/$/, ''), seconds });
  }

  /** The voices that can be had now. */
  voices(signal) {
    return this.#ask('/v1/voices', {}, { signal, ms: this.seconds * 1000 }, (spoken) => spoken.json());
  }

  /**
   * Writes spoken text as a WAV file. Where nothing was spoken yet it asks again, as long as there is time.
   * @param {{provider?: string, text: string, voice?: string}} wanted
   * @param {string} path
   * @param {AbortSignal} signal
   */
  async save({ provider = 'auto', text, voice }, path, signal) {
    const end = Date.now() + this.seconds * 1000;
    const headers = { 'content-type': 'application/json', accept: 'audio/wav' };
    const body = JSON.stringify({ provider, text, voice, format: 'wav' });
    for (let attempt = 0; ; attempt++) {
      const ms = Math.max(1, end - Date.now());
      const question = { method: 'POST', headers: { ...headers, 'x-request-timeout': String(ms) }, body };
      try {
        return await this.#ask('/v1/speech', question, { signal, ms }, (spoken) =>
          pipeline(spoken, limited(), createWriteStream(path)),
        );
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const backoff = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
        const pause = Math.max(error.after ?? 0, backoff * (0.5 + Math.random() / 2));
        if (!AGAIN.has(error.code) || Date.now() + pause + LEAST_MS > end) throw error;
        await wait(pause, undefined, { signal }).catch(() => {
          throw signal.reason;
        });
      }
    }
  }

  async #ask(path, question, { signal, ms }, use) {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), ms);
    const stop = () => deadline.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const answer = await request(this.url + path, { ...question, signal: deadline.signal });
      answer.body.on('error', () => {}); // whoever reads it is told; nobody may be reading
      if (answer.statusCode !== 200) throw await refusal(answer);
      return await use(answer.body);
    } catch (error) {
      if (error instanceof SpeechError) throw error;
      const late = deadline.signal.aborted;
      const reason = late ? `no answer within ${this.seconds} s` : (error.code ?? error.message);
      // What was cut or is late may have been paid for.
      const code = late ? 'speech_timeout' : UNCONNECTED.has(error.code) ? 'speech_unreachable' : 'speech_broken';
      throw new SpeechError(code, `the speech service cannot be used: ${reason}`);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

async function refusal({ statusCode, headers, body }) {
  const { error } = await body.json().catch(() => ({}));
  if (!error?.code) {
    // Not the proxy's words, but the edge's, which knows whether the proxy got the request.
    const code = headers['edge-undelivered'] ? 'speech_unreachable' : 'speech_failed';
    return new SpeechError(code, `the speech service answered ${statusCode}`);
  }
  const seconds = Number(headers['retry-after'] ?? 0);
  return new SpeechError(error.code, error.message, seconds > 0 ? seconds * 1000 : undefined);
}

function limited() {
  let left = MAX_BYTES;
  return new Transform({
    transform(chunk, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(new SpeechError('speech_too_long', `the speech is longer than ${MAX_BYTES} bytes`));
      else done(null, chunk);
    },
  });
}
