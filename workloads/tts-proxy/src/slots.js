/** A limit of requests at the same time, with a bounded queue before it. */

import { Failure } from './failure.js';

export class Slots {
  #waiting = new Set();

  constructor(limit, queue, provider) {
    this.limit = limit;
    this.queue = queue;
    this.provider = provider;
    this.taken = 0;
  }

  get waiting() {
    return this.#waiting.size;
  }

  /** Waits for a place; the returned function gives it back, once. Throws busy, or the signal's reason. */
  acquire(signal) {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.taken < this.limit) {
      this.taken += 1;
      return Promise.resolve(this.#release());
    }
    if (this.#waiting.size >= this.queue) {
      const why = `${this.limit} requests run and ${this.queue} wait for ${this.provider}`;
      return Promise.reject(new Failure('busy', why, { provider: this.provider, retryAfterMs: 1000 }));
    }
    return new Promise((resolve, reject) => {
      const waiter = {
        go: () => {
          signal.removeEventListener('abort', gone);
          resolve(this.#release());
        },
      };
      const gone = () => {
        this.#waiting.delete(waiter);
        reject(signal.reason);
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', gone, { once: true });
    });
  }

  #release() {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [first] = this.#waiting;
      if (first === undefined) {
        this.taken -= 1;
      } else {
        this.#waiting.delete(first);
        first.go();
      }
    };
  }
}
