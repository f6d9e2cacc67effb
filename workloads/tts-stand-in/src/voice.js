/** Real speech by espeak-ng. */

import { spawn } from 'node:child_process';

const CHINESE = /\p{Script=Han}/u;

/** The language that espeak-ng is to read a text in. */
export const language = (text) => (CHINESE.test(text) ? 'cmn' : 'en');

/** The sizes that espeak-ng cannot know while it writes to a pipe. */
export function sized(wav) {
  const fixed = Buffer.from(wav);
  fixed.writeUInt32LE(fixed.length - 8, 4);
  fixed.writeUInt32LE(fixed.length - 44, 40);
  return fixed;
}

/** A WAVE file, 22050 Hz mono, as espeak-ng writes it: without true sizes in its header. */
export function say(text, speed = 1) {
  return new Promise((resolve, reject) => {
    const child = spawn('espeak-ng', ['--stdin', '--stdout', '-b', '1', '-v', language(text), '-s', String(Math.round(175 * speed))]);
    const chunks = [];
    let complaint = '';
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => { complaint += chunk; });
    child.on('error', reject);
    child.on('close', (code) => {
      const wav = Buffer.concat(chunks);
      if (code === 0 && wav.length > 44) resolve(wav);
      else reject(new Error(`espeak-ng ended with ${code} after ${wav.length} bytes: ${complaint.trim()}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(text);
  });
}
