/** One provider behind its limits: places, circuit, attempts. */

import { setTimeout as sleep } from 'node:timers/promises';
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { waitBefore } from './budget.js';
import { Failure } from './failure.js';
import { hold } from './hold.js';
import { Slots } from './slots.js';

const FETCHES = 3;

/** The promise, unless the signal aborts first. */
function raced(promise, signal) {
  return new Promise((resolve, reject) => {
    const gone = () => reject(signal.reason);
    if (signal.aborted) gone();
    signal.addEventListener('abort', gone, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
  });
}

/** A signal that aborts at `moment` with that failure; `move` sets another moment, `clear` forgets it. */
function timer(moment, failure) {
  const controller = new AbortController();
  const start = (at) => setTimeout(() => controller.abort(failure), Math.max(0, at - Date.now()));
  let handle = start(moment);
  const clear = () => clearTimeout(handle);
  return { signal: controller.signal, clear, move: (at) => { clear(); handle = start(at); } };
}

export class Provider {
  /** @param limits settings.limits; @param meter metrics.js */
  constructor(adapter, limits, meter) {
    this.name = adapter.name;
    this.adapter = adapter;
    this.limits = limits;
    this.meter = meter;
    this.slots = new Slots(limits.concurrency, limits.queue, this.name);
    this.openedAt = 0;
    this.circuit = circuitBreaker(handleWhen((error) => error instanceof Failure && error.trips), {
      halfOpenAfter: limits.breakerOpenMs,
      breaker: new ConsecutiveBreaker(limits.breakerFailures),
    });
    this.circuit.onBreak(() => { this.openedAt = Date.now(); });
  }

  /** What the admin port tells. */
  state() {
    const { taken, waiting } = this.slots;
    return { circuit: CircuitState[this.circuit.state].toLowerCase(), running: taken, waiting };
  }

  /**
   * Asks until `deadline`; resolves to {audio, release}. The place is held until `release` is called. Audio that is
   * streamed must end by `end`. `signal` is the caller's: its abort ends everything. Throws a Failure.
   */
  async speak(speech, { deadline, end, signal }) {
    const late = timer(deadline, new Failure('deadline_exceeded', `no place at ${this.name} in time`, { provider: this.name }));
    let release;
    try {
      release = await this.slots.acquire(AbortSignal.any([signal, late.signal]));
    } finally {
      late.clear();
    }
    try {
      return { audio: await this.#tries(speech, { deadline, end, signal }), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #tries(speech, { deadline, end, signal }) {
    for (let attempt = 0, last; ; attempt += 1) {
      let failure;
      try {
        return await this.#once(speech, { deadline, end, signal });
      } catch (error) {
        // A circuit that opened between two attempts says less than what opened it.
        failure = error.code === 'circuit_open' && last ? last : error;
        this.meter.attempt(this.name, error instanceof Failure ? error.code : 'internal');
        if (!(error instanceof Failure) || failure === last) throw failure;
      }
      last = failure;
      const { limits } = this;
      const wait = waitBefore({ attempt, failure, now: Date.now(), deadline, random: Math.random }, limits);
      if (wait === null) throw failure;
      await sleep(wait, undefined, { signal }).catch(() => { throw signal.reason; });
    }
  }

  async #once(speech, { deadline, end, signal }) {
    const moment = Math.min(deadline, Date.now() + this.limits.attemptMs);
    const slow = timer(moment, new Failure('upstream_timeout', `${this.name} did not answer in time`, { provider: this.name }));
    const until = AbortSignal.any([signal, slow.signal]);
    try {
      const work = this.circuit.execute(() => this.#audio(speech, until));
      const audio = await raced(work, until);
      this.meter.attempt(this.name, 'ok');
      slow.clear();
      // A large answer goes on after this, in the caller's own time.
      if (!audio.whole) {
        slow.move(end);
        audio.stream.once('close', slow.clear);
      }
      return audio;
    } catch (error) {
      slow.clear();
      if (!(error instanceof BrokenCircuitError)) throw error;
      const rest = Math.max(0, this.openedAt + this.limits.breakerOpenMs - Date.now());
      const why = `${this.name} failed ${this.limits.breakerFailures} times in a row and is left alone for a while`;
      throw new Failure('circuit_open', why, { provider: this.name, retryAfterMs: rest });
    }
  }

  async #audio(speech, signal) {
    // Waited for another's probe of the circuit until it was too late: that says nothing about the provider.
    if (signal.aborted) throw new Failure('cancelled', 'too late to begin');
    const source = await this.adapter.synthesize(speech, signal);
    for (let fetched = 1; ; fetched += 1) {
      try {
        const answer = await source.open(signal);
        return await hold(answer, { provider: this.name, holdBytes: this.limits.holdBytes, signal });
      } catch (error) {
        const free = source.again && error instanceof Failure && (error.repeat || error.code === 'upstream_broken');
        if (!free || fetched >= FETCHES) throw error instanceof Failure ? error.final() : error;
        const pause = Math.random() * this.limits.baseMs + (error.retryAfterMs ?? 0);
        await sleep(pause, undefined, { signal }).catch(() => { throw signal.reason; });
      }
    }
  }
}
