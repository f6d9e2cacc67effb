/** Runs an edit in a thread, with progress, and ends it when asked. */
import { Worker } from 'node:worker_threads';
import { Refusal } from '../errors.js';

/**
 * @param {{source: string | null, operations: object[], speeches: (string | null)[], output: string}} task
 * @param {(share: number, step: string) => void} progress share from 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<{bytes: number, sampleRate: number, channels: number, seconds: number}>}
 */
export function render(task, progress, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: task });
    const stop = () => worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    worker.on('message', ({ result, error, share, step }) => {
      if (result) resolve(result);
      else if (error?.status) reject(new Refusal(error.status, error.code, error.message));
      else if (error) reject(new Error(error.message));
      else progress(share, step);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      signal.removeEventListener('abort', stop);
      reject(signal.aborted ? signal.reason : new Error(`the edit's thread ended with ${code}`));
    });
  });
}
