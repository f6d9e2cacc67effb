/** One edit in a thread of its own: requests are answered while samples are computed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { apply, duration } from './edits.js';
import { decode, encode } from './pcm.js';

const { source, operations, speeches, output } = workerData;
const report = (share, step) => parentPort.postMessage({ share, step });

try {
  let audio = source ? decode(readFileSync(source)) : undefined;
  report(0.2, 'decoded');
  operations.forEach((operation, i) => {
    const speech = speeches[i] ? decode(readFileSync(speeches[i])) : undefined;
    audio = apply(audio, operation, speech);
    report(0.2 + (0.6 * (i + 1)) / operations.length, operation.type);
  });
  const bytes = encode(audio);
  report(0.9, 'encoded');
  writeFileSync(output, bytes);
  parentPort.postMessage({
    result: {
      bytes: bytes.length,
      sampleRate: audio.sampleRate,
      channels: audio.channels,
      seconds: duration(audio),
    },
  });
} catch (error) {
  parentPort.postMessage({ error: { code: error.code ?? 'internal', status: error.status, message: error.message } });
}
