/** Speech on a GPU: processes of `speak.py`, each for one speech at a time, started when they are needed. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const START_MS = 120_000;
const PING_MS = 5_000;

/** One process: a line of JSON in, a line of JSON out. */
class Worker {
  #answer;

  constructor(settings, log) {
    this.child = spawn(`${settings.venv}/bin/python3`, [settings.worker], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, KOKORO_MODELS: settings.models },
    });
    this.gone = undefined;
    const end = (why) => {
      this.gone ??= new Error(`kokoro: ${why}`);
      this.#answer?.reject(this.gone);
    };
    this.child.on('error', (error) => end(`${settings.venv}/bin/python3 cannot be started (${error.code})`));
    this.child.on('exit', (code, signal) => {
      end(`its process ended (${signal ?? code})`);
      log.warn({ code, signal }, 'a kokoro process ended');
    });
    this.child.stdin.on('error', () => {});
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.#answer?.resolve(JSON.parse(line));
    });
    this.ready = this.#next(START_MS);
    // Whoever asks is told; nobody may have asked yet.
    this.ready.catch(() => {});
  }

  #next(milliseconds) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`kokoro: no answer within ${milliseconds / 1000} s`)), milliseconds);
      const settle = (act) => (value) => {
        clearTimeout(late);
        this.#answer = undefined;
        act(value);
      };
      this.#answer = { resolve: settle(resolve), reject: settle(reject) };
      if (this.gone) this.#answer.reject(this.gone);
    });
  }

  async ask(request, milliseconds) {
    await this.ready;
    if (this.gone) throw this.gone;
    const answer = this.#next(milliseconds);
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  }
}

export class Kokoro {
  name = 'kokoro';
  #idle = [];
  #all = new Set();
  #known;
  #asking;

  constructor(settings, log) {
    Object.assign(this, { settings, log });
    this.#idle.push(this.#start());
  }

  #start() {
    const worker = new Worker(this.settings, this.log);
    this.#all.add(worker);
    return worker;
  }

  async #with(act) {
    let worker = this.#idle.pop();
    while (worker?.gone) worker = this.#idle.pop();
    worker ??= this.#start();
    try {
      const answer = await act(worker);
      this.#idle.push(worker);
      return answer;
    } catch (error) {
      // One that is late would give its answer to the next who asks.
      worker.child.kill('SIGKILL');
      this.#all.delete(worker);
      this.#known = undefined;
      throw error;
    }
  }

  /** What CUDA and the weights are like: {cuda, device, weights}. Throws when nothing answers. */
  async state() {
    // All of them speak: one that does not answer in time is found out by that.
    if (!this.#idle.length && this.#known) return this.#known;
    this.#asking ??= this.#with(async (worker) => ({ ...(await worker.ready), ...(await worker.ask({ ping: true }, PING_MS)) }))
      .finally(() => { this.#asking = undefined; });
    this.#known = await this.#asking;
    return this.#known;
  }

  /** Writes a WAV file. Throws with the cause, or when `milliseconds` are over. */
  async speak({ text, voice, speed, file, milliseconds }) {
    const answer = await this.#with((worker) => worker.ask({ text, voice, speed, file }, milliseconds));
    if (answer.error) throw new Error(`kokoro: ${answer.error}`);
  }

  stop() {
    for (const worker of this.#all) worker.child.kill();
  }
}
