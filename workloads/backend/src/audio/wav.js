/** RIFF/WAVE: where the samples lie and what they are. Pure functions over bytes. */
import { Refusal } from '../errors.js';

export const HEADER_BYTES = 64 * 1024;
const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const SAMPLE_RATES = { min: 4000, max: 192000 };
const CHANNELS = 8;

const refuse = (message) => new Refusal(422, 'unsupported_audio', message);

/**
 * @typedef {{encoding: 'int' | 'float', bits: number, channels: number, sampleRate: number,
 *            start: number, frames: number}} Wav `start` and sizes in bytes from the file's begin.
 */

/**
 * Reads the description of a WAV file from its first bytes.
 * @param {Buffer} head the first HEADER_BYTES of the file, or all of it
 * @param {number} size of the whole file; a data chunk that promises more (a stream's placeholder) ends there
 * @returns {Wav}
 */
export function parse(head, size = head.length) {
  if (head.length < 12 || head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') {
    throw refuse('not a WAV file: it does not begin with RIFF and WAVE');
  }
  let format;
  for (let at = 12; at + 8 <= head.length; ) {
    const id = head.toString('latin1', at, at + 4);
    const length = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'fmt ') format = parseFormat(head.subarray(body, body + length));
    if (id === 'data') {
      if (!format) throw refuse('the data chunk comes before the format chunk');
      const bytes = Math.min(length, size - body);
      const frames = Math.floor(bytes / (format.channels * (format.bits / 8)));
      if (frames < 1) throw refuse('the file holds no samples');
      return { ...format, start: body, frames };
    }
    at = body + length + (length % 2);
  }
  throw refuse(`no data chunk within the first ${HEADER_BYTES} bytes`);
}

/** @param {Buffer} chunk */
function parseFormat(chunk) {
  if (chunk.length < 16) throw refuse('the format chunk is too short');
  let code = chunk.readUInt16LE(0);
  const [channels, sampleRate, bits] = [chunk.readUInt16LE(2), chunk.readUInt32LE(4), chunk.readUInt16LE(14)];
  if (code === EXTENSIBLE && chunk.length >= 26) code = chunk.readUInt16LE(24);
  const allowed = { [PCM]: [16, 24, 32], [FLOAT]: [32] }[code];
  if (!allowed) throw refuse(`format ${code} is not supported; allowed: PCM and 32-bit float`);
  if (!allowed.includes(bits)) throw refuse(`${bits} bits are not supported; allowed: ${allowed.join(', ')}`);
  if (channels < 1 || channels > CHANNELS) throw refuse(`${channels} channels; allowed: 1 to ${CHANNELS}`);
  if (sampleRate < SAMPLE_RATES.min || sampleRate > SAMPLE_RATES.max) {
    throw refuse(`${sampleRate} samples a second; allowed: ${SAMPLE_RATES.min} to ${SAMPLE_RATES.max}`);
  }
  return { encoding: code === FLOAT ? 'float' : 'int', bits, channels, sampleRate };
}

/**
 * The header of a 16-bit PCM file.
 * @param {{channels: number, sampleRate: number}} audio
 * @param {number} bytes of samples
 */
export function header({ channels, sampleRate }, bytes) {
  const out = Buffer.alloc(44);
  out.write('RIFF', 0, 'latin1');
  out.writeUInt32LE(36 + bytes, 4);
  out.write('WAVEfmt ', 8, 'latin1');
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(PCM, 20);
  out.writeUInt16LE(channels, 22);
  out.writeUInt32LE(sampleRate, 24);
  out.writeUInt32LE(sampleRate * channels * 2, 28);
  out.writeUInt16LE(channels * 2, 32);
  out.writeUInt16LE(16, 34);
  out.write('data', 36, 'latin1');
  out.writeUInt32LE(bytes, 40);
  return out;
}
