/** Samples: bytes to numbers from -1 to 1 and back. */
import { header, parse } from './wav.js';

/** @typedef {{sampleRate: number, channels: number, samples: Float32Array}} Audio interleaved frames */

/**
 * @param {Buffer} bytes whole samples, without a header
 * @param {{encoding: string, bits: number}} format
 * @returns {Float32Array}
 */
export function samples(bytes, { encoding, bits }) {
  const width = bits / 8;
  const out = new Float32Array(Math.floor(bytes.length / width));
  const scale = 1 / 2 ** (bits - 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < out.length; i++) {
    if (encoding === 'float') out[i] = finite(view.getFloat32(i * 4, true));
    else if (bits === 16) out[i] = view.getInt16(i * 2, true) * scale;
    else if (bits === 24) out[i] = ((view.getInt16(i * 3 + 1, true) << 8) | view.getUint8(i * 3)) * scale;
    else out[i] = view.getInt32(i * 4, true) * scale;
  }
  return out;
}

const finite = (value) => (Number.isFinite(value) ? value : 0);

/**
 * @param {Buffer} file a whole WAV file
 * @returns {Audio}
 */
export function decode(file) {
  const wav = parse(file);
  const end = wav.start + wav.frames * wav.channels * (wav.bits / 8);
  return { sampleRate: wav.sampleRate, channels: wav.channels, samples: samples(file.subarray(wav.start, end), wav) };
}

/**
 * A 16-bit PCM WAV file; what is beyond full scale is clipped.
 * @param {Audio} audio
 */
export function encode(audio) {
  const bytes = audio.samples.length * 2;
  const head = header(audio, bytes);
  const out = Buffer.alloc(head.length + bytes);
  head.copy(out);
  const view = new DataView(out.buffer, out.byteOffset + head.length, bytes);
  audio.samples.forEach((value, i) => {
    view.setInt16(i * 2, Math.max(-32768, Math.min(32767, Math.round(value * 32768))), true);
  });
  return out;
}
