/** The outline of a file for drawing, read in blocks: memory does not grow with the file. */
import { open } from 'node:fs/promises';
import { samples } from './pcm.js';
import { HEADER_BYTES, parse } from './wav.js';

const BLOCK_FRAMES = 65536;

/**
 * What a file is.
 * @param {string} path
 */
export async function describe(path) {
  const file = await open(path);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

async function read(file) {
  const { size } = await file.stat();
  const head = Buffer.alloc(Math.min(HEADER_BYTES, size));
  await file.read(head, 0, head.length, 0);
  return parse(head, size);
}

/**
 * The largest level (0 to 1) in each of `points` equal parts.
 * @param {string} path
 * @param {number} points
 * @returns {Promise<number[]>}
 */
export async function peaks(path, points) {
  const file = await open(path);
  try {
    const wav = await read(file);
    const width = wav.channels * (wav.bits / 8);
    const out = new Array(Math.min(points, wav.frames)).fill(0);
    for (let first = 0; first < wav.frames; first += BLOCK_FRAMES) {
      const block = Buffer.alloc(Math.min(BLOCK_FRAMES, wav.frames - first) * width);
      await file.read(block, 0, block.length, wav.start + first * width);
      samples(block, wav).forEach((value, i) => {
        const frame = first + Math.floor(i / wav.channels);
        const bucket = Math.floor((frame * out.length) / wav.frames);
        out[bucket] = Math.max(out[bucket], Math.abs(value));
      });
    }
    return out.map((value) => Math.round(Math.min(1, value) * 1000) / 1000);
  } finally {
    await file.close();
  }
}
