/** Speech from the tts-proxy. */
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

const ATTEMPTS = 3;
const MAX_BYTES = 32 * 2 ** 20;

/** What the proxy refused, in its words. */
export class SpeechError extends Error {
  constructor(code, message, retryable) {
    super(message);
    Object.assign(this, { code, retryable });
  }
}

export class Speech {
  /** @param {{url: string, seconds: number}} settings */
  constructor({ url, seconds }) {
    Object.assign(this, { url: url.replace(/\/$/, ''), seconds });
  }

  /** The voices that can be had now. */
  voices(signal) {
    return this.#ask('/v1/voices', {}, signal, (response) => response.json());
  }

  /**
   * Writes spoken text as a WAV file. The proxy tries the cloud again by itself; this tries the proxy again.
   * @param {{provider?: string, text: string, voice?: string}} wanted
   * @param {string} path
   * @param {AbortSignal} signal
   */
  async save({ provider = 'auto', text, voice }, path, signal) {
    const request = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'audio/wav',
        'x-request-timeout': String(this.seconds * 1000),
      },
      body: JSON.stringify({ provider, text, voice, format: 'wav' }),
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#ask('/v1/speech', request, signal, (response) =>
          pipeline(Readable.fromWeb(response.body), limited(), createWriteStream(path)),
        );
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!error.retryable || attempt === ATTEMPTS) throw error;
        await wait(1000 * 2 ** (attempt - 1), undefined, { signal });
      }
    }
  }

  async #ask(path, request, signal, use) {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.seconds * 1000);
    const stop = () => deadline.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const response = await fetch(this.url + path, { ...request, signal: deadline.signal });
      if (!response.ok) throw await refusal(response);
      return await use(response);
    } catch (error) {
      if (error instanceof SpeechError) throw error;
      const reason = deadline.signal.aborted ? `no answer within ${this.seconds} s` : (error.cause?.code ?? error.message);
      throw new SpeechError('speech_unreachable', `the speech service cannot be used: ${reason}`, true);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

async function refusal(response) {
  const { error } = await response.json().catch(() => ({}));
  if (error?.code) return new SpeechError(error.code, error.message, error.retryable === true);
  return new SpeechError('speech_failed', `the speech service answered ${response.status}`, response.status >= 500);
}

function limited() {
  let left = MAX_BYTES;
  return new Transform({
    transform(chunk, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(new SpeechError('speech_too_long', `the speech is longer than ${MAX_BYTES} bytes`, false));
      else done(null, chunk);
    },
  });
}
