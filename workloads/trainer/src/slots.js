/** A limit of speech at the same time, with a bounded queue before it. */
import { Refusal } from './errors.js';

export class Slots {
  #waiting = new Set();

  constructor(limit, queue) {
    Object.assign(this, { limit, queue, taken: 0, most: 0 });
  }

  get waiting() {
    return this.#waiting.size;
  }

  /** Runs `act` in a place of its own. Throws `busy` when too many wait, or the signal's reason. */
  async run(act, signal) {
    await this.#enter(signal);
    this.most = Math.max(this.most, this.taken);
    try {
      return await act();
    } finally {
      const [first] = this.#waiting;
      if (first) first();
      else this.taken -= 1;
    }
  }

  #enter(signal) {
    signal.throwIfAborted();
    if (this.taken < this.limit) {
      this.taken += 1;
      return undefined;
    }
    if (this.#waiting.size >= this.queue) {
      throw new Refusal(503, 'busy', `${this.limit} are spoken and ${this.queue} wait; try again soon`, { 'retry-after': '2' });
    }
    return new Promise((resolve, reject) => {
      const go = () => {
        this.#waiting.delete(go);
        signal.removeEventListener('abort', gone);
        resolve();
      };
      const gone = () => {
        this.#waiting.delete(go);
        reject(signal.reason);
      };
      this.#waiting.add(go);
      signal.addEventListener('abort', gone, { once: true });
    });
  }
}
