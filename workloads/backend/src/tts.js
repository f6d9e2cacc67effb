/** Speech from the tts-proxy. */
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

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
    return this.#ask('/v1/voices', {}, { signal, ms: this.seconds * 1000 }, (response) => response.json());
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
      const request = { method: 'POST', headers: { ...headers, 'x-request-timeout': String(ms) }, body };
      try {
        return await this.#ask('/v1/speech', request, { signal, ms }, (response) =>
          pipeline(Readable.fromWeb(response.body), limited(), createWriteStream(path)),
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

  async #ask(path, request, { signal, ms }, use) {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), ms);
    const stop = () => deadline.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const response = await fetch(this.url + path, { ...request, signal: deadline.signal });
      if (!response.ok) throw await refusal(response);
      return await use(response);
    } catch (error) {
      if (error instanceof SpeechError) throw error;
      const late = deadline.signal.aborted;
      const reason = late ? `no answer within ${this.seconds} s` : (error.cause?.code ?? error.message);
      // What was cut or is late may have been paid for.
      const code = late ? 'speech_timeout' : UNCONNECTED.has(error.cause?.code) ? 'speech_unreachable' : 'speech_broken';
      throw new SpeechError(code, `the speech service cannot be used: ${reason}`);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

async function refusal(response) {
  const { error } = await response.json().catch(() => ({}));
  if (!error?.code) {
    // Not the proxy's words, but the edge's, which knows whether the proxy got the request.
    const code = response.headers.get('edge-undelivered') ? 'speech_unreachable' : 'speech_failed';
    return new SpeechError(code, `the speech service answered ${response.status}`);
  }
  const seconds = Number(response.headers.get('retry-after') ?? 0);
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
