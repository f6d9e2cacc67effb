/** Speech as files: the same words are spoken once; at most so many at the same time. */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import * as espeak from './espeak.js';
import { Refusal } from './errors.js';
import { Kokoro } from './kokoro.js';
import { Slots } from './slots.js';

const HEADER_BYTES = 44;
const ABANDONED_MS = 3_600_000;

export class Speech {
  #running = new Map();

  constructor({ tts, audio, log }) {
    Object.assign(this, { tts, audio, log });
    this.slots = new Slots(tts.concurrency, tts.queue);
    this.kokoro = tts.device === 'cuda' ? new Kokoro(tts, log) : undefined;
  }

  /** {device, engine, ...}; throws where a GPU is wanted and CUDA does not answer. */
  async state() {
    const counts = { device: this.tts.device, speaking: this.slots.taken, waiting: this.slots.waiting, limit: this.slots.limit };
    if (!this.kokoro) return { ...counts, engine: espeak.name };
    const found = await this.kokoro.state();
    if (!found.cuda) throw new Error('KOKORO_DEVICE is cuda, but CUDA finds no GPU here; ask for one, or set the device to cpu');
    return { ...counts, gpu: found.gpu, engine: found.weights ? this.kokoro.name : espeak.name, ...(!found.weights && { why: `no weights in ${this.tts.models}` }) };
  }

  /** The name of the file that says it: {name, engine, cached}. */
  async say({ text, voice, speed }) {
    const { engine } = await this.state();
    const name = `${createHash('sha256').update(JSON.stringify([engine, voice, speed, text])).digest('hex').slice(0, 32)}.wav`;
    const file = path.join(this.audio.folder, name);
    if (await stat(file).catch(() => undefined)) {
      await utimes(file, new Date(), new Date());
      return { name, engine, cached: true };
    }
    // Those who want the same words at the same time wait for the same speech.
    const running = this.#running.get(name) ?? this.#make(file, { engine, text, voice, speed }).finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    await running;
    return { name, engine, cached: false };
  }

  async #make(file, { engine, ...what }) {
    const end = Date.now() + this.tts.timeoutMs;
    const signal = AbortSignal.timeout(this.tts.timeoutMs);
    const part = path.join(this.audio.folder, `.${randomUUID()}`);
    try {
      await this.slots.run(async () => {
        if (engine === espeak.name) await espeak.speak({ ...what, file: part, signal });
        else await this.kokoro.speak({ ...what, file: part, milliseconds: end - Date.now() });
        if ((await stat(part)).size <= HEADER_BYTES) throw new Refusal(422, 'silent', 'there is nothing to say in this text');
        // nginx, another user, serves it.
        await chmod(part, 0o644);
        await rename(part, file);
      }, signal);
    } catch (error) {
      await rm(part, { force: true });
      if (signal.aborted) throw new Refusal(504, 'too_slow', `not spoken within ${this.tts.timeoutMs / 1000} s`);
      throw error;
    }
    await this.#tidy();
  }

  /** The oldest go when all together are too large, and what a killed process left. */
  async #tidy() {
    const found = [];
    for (const name of await readdir(this.audio.folder)) {
      const file = path.join(this.audio.folder, name);
      const seen = await stat(file).catch(() => undefined);
      if (!seen?.isFile()) continue;
      if (name.endsWith('.wav')) found.push({ file, size: seen.size, at: seen.mtimeMs });
      else if (Date.now() - seen.mtimeMs > ABANDONED_MS) await rm(file, { force: true });
    }
    let total = found.reduce((sum, { size }) => sum + size, 0);
    for (const { file, size } of found.sort((a, b) => a.at - b.at)) {
      if (total <= this.audio.bytes) return;
      await rm(file, { force: true });
      total -= size;
    }
  }

  stop() {
    this.kokoro?.stop();
  }
}
