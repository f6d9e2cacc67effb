/** Where the audio lies, and how a file gets there whole. */
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const PART = '.part-';
const ABANDONED_MS = 24 * 3600 * 1000;

export class Files {
  /** @param {{uploads: string, temp: string}} folders shared by all replicas */
  constructor({ uploads, temp }) {
    Object.assign(this, { uploads, temp });
  }

  path(id) {
    return path.join(this.uploads, `${id}.wav`);
  }

  /** Writes a stream to its place; a name without `.part-` is always a whole file. `check` may refuse it. */
  async receive(id, stream, check) {
    const part = path.join(this.uploads, PART + id);
    try {
      await pipeline(stream, createWriteStream(part, { flags: 'wx' }));
      const found = await check(part);
      await rename(part, this.path(id));
      return found;
    } finally {
      await rm(part, { force: true });
    }
  }

  /** Brings a finished file from the temp volume. */
  async keep(id, from) {
    const part = path.join(this.uploads, PART + id);
    await copyFile(from, part);
    await rename(part, this.path(id));
  }

  async remove(id) {
    await rm(this.path(id), { force: true });
  }

  read(id, range) {
    return createReadStream(this.path(id), range);
  }

  async size(id) {
    return (await stat(this.path(id))).size;
  }

  async workshop(name) {
    const folder = path.join(this.temp, name);
    await mkdir(folder);
    return folder;
  }

  /** Removes what replicas that died left behind. */
  async tidy(now = Date.now()) {
    const removed = [];
    for (const [folder, ours] of [
      [this.uploads, (name) => name.startsWith(PART)],
      [this.temp, () => true],
    ]) {
      for (const name of (await readdir(folder)).filter(ours)) {
        const full = path.join(folder, name);
        const found = await stat(full).catch(() => undefined);
        if (!found || now - found.mtimeMs < ABANDONED_MS) continue;
        await rm(full, { recursive: true, force: true });
        removed.push(name);
      }
    }
    return removed;
  }
}

/**
 * The part of a file that a Range header asks for; undefined for the whole, null for one that cannot be had.
 * @param {string | undefined} text
 * @param {number} size
 * @returns {{start: number, end: number} | undefined | null} both inclusive
 */
export function range(text, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const length = Math.min(size, Number(match[2]));
    return length ? { start: size - length, end: size - 1 } : null;
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(size - 1, Number(match[2]));
  return start <= end ? { start, end } : null;
}
