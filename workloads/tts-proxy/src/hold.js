/** Passing audio on: checked before the first byte goes out, whole where it is small, never cut short silently. */

import { Readable } from 'node:stream';
import { Failure, fromNetwork } from './failure.js';
import { NotAudio, isWhole, readHead, withSizes } from './wav.js';

/**
 * Reads `answer.body` until it ended or `holdBytes` are there, and checks what came.
 * Returns {stream, length, whole}: `length` goes into Content-Length, so that an answer that breaks off later is
 * seen to be broken. Throws upstream_broken for anything that is not whole audio.
 */
export async function hold(answer, { provider, holdBytes, signal }) {
  const broken = (why) => new Failure('upstream_broken', `${provider} gave broken audio: ${why}`, { provider });
  const source = answer.body[Symbol.asyncIterator]();
  const next = async () => {
    try {
      return await source.next();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw fromNetwork(error, { provider, started: true });
    }
  };
  const chunks = [];
  let held = 0;
  let ended = false;
  while (!ended && held < holdBytes) {
    const { value, done } = await next();
    if (done) ended = true;
    else { chunks.push(value); held += value.length; }
  }
  const give = (why) => { answer.body.destroy(); return broken(why); };
  const bytes = Buffer.concat(chunks);
  let head;
  try {
    head = readHead(bytes);
  } catch (error) {
    if (error instanceof NotAudio) throw give(error.message);
    throw error;
  }
  const length = ended ? held : answer.contentLength ?? head.total;
  if (length === undefined) throw give('its length is nowhere said');
  if (!isWhole(head, length) || held > length) throw give(`${length} bytes where ${head.total} were promised`);
  const first = withSizes(bytes, head, length);
  if (ended) return { stream: Readable.from([first], { objectMode: false }), length, whole: true };

  async function* all() {
    yield first;
    let sent = held;
    for (;;) {
      const { value, done } = await next();
      if (done) break;
      sent += value.length;
      if (sent > length) throw give('more bytes than promised');
      yield value;
    }
    if (sent < length) throw broken(`cut after ${sent} of ${length} bytes`);
  }
  const stream = Readable.from(all(), { objectMode: false });
  stream.once('close', () => answer.body.destroy());
  return { stream, length, whole: false };
}
