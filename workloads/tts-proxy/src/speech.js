/** Which provider speaks: the one that was asked for, or the first that can. */

import { share } from './budget.js';
import { Failure, fallsOver } from './failure.js';

/** The voice of a provider by its id, the first where none is named; undefined where it has no such voice. */
export function voiceOf(voices, id) {
  return id === undefined ? voices[0] : voices.find((voice) => voice.id === id);
}

/** The providers that can serve a request, in order. Throws unprocessable where none can. */
export function candidates({ provider, voice }, voices) {
  const configured = Object.keys(voices);
  const wanted = provider === 'auto' ? configured : configured.filter((name) => name === provider);
  if (!wanted.length) throw new Failure('unprocessable', `provider ${provider} is not set up here; set up: ${configured.join(', ')}`);
  const able = wanted.filter((name) => voiceOf(voices[name], voice));
  if (!able.length) throw new Failure('unprocessable', `no voice ${JSON.stringify(voice)} at ${wanted.join(', ')}; GET /v1/voices lists them`);
  return able;
}

/** Speaks by the first provider that can; resolves to {provider, audio, release}. */
export async function speak({ text, voice, speed, provider }, { providers, voices, deadline, signal, log }) {
  const names = candidates({ provider, voice }, voices);
  let hopeful;
  for (let index = 0; ; index += 1) {
    const name = names[index];
    const left = names.length - index;
    try {
      const speech = { text, speed, voice: voiceOf(voices[name], voice) };
      const limit = share(Date.now(), deadline, left);
      return { provider: name, ...(await providers.get(name).speak(speech, { deadline: limit, end: deadline, signal })) };
    } catch (error) {
      // Its share ran out in the queue, not the caller's time: the other may still be free.
      const late = error.code === 'deadline_exceeded' && Date.now() < deadline;
      const over = late || (error instanceof Failure && fallsOver(error));
      if (signal.aborted || !over) throw error;
      // Where one is broken and the other only busy, the caller is to know that it may come back.
      if (error.retryable) hopeful ??= error;
      if (left === 1) throw error.retryable ? error : hopeful ?? error;
      log.warn({ provider: name, code: error.code, reason: error.message, next: names[index + 1] }, 'falls over');
    }
  }
}
