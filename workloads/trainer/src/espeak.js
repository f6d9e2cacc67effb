/** Speech on any processor: espeak-ng. */
import { spawn } from 'node:child_process';
import { VOICES } from './voices.js';

const WORDS_PER_MINUTE = 160;

export const name = 'espeak-ng';

/** Writes a WAV file. Throws with espeak-ng's complaint, or the signal's reason. */
export function speak({ text, voice, speed, file, signal }) {
  return new Promise((resolve, reject) => {
    const child = spawn('espeak-ng', ['--stdin', '-b', '1', '-v', VOICES[voice], '-s', String(Math.round(WORDS_PER_MINUTE * speed)), '-w', file], {
      stdio: ['pipe', 'ignore', 'pipe'], signal,
    });
    let complaint = '';
    child.stderr.on('data', (chunk) => { complaint += chunk; });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`espeak-ng ended with ${code}: ${complaint.trim()}`))));
    child.stdin.on('error', () => {});
    child.stdin.end(text);
  });
}
