/** RIFF/WAVE headers: enough to know whether an answer is audio, and whole. Pure. */

// Writers that do not know the length yet put zero or a number near 2 or 4 GiB.
const isPlaceholder = (size) => size === 0 || size >= 0x7ff00000;

/** Thrown where bytes are not a WAVE file; the message says why. */
export class NotAudio extends Error {}

/**
 * Reads the chunks up to `data`. Returns {dataAt, dataBytes, total, placeholder, byteRate}; `total` is the
 * length of the file that the header promises, undefined where it holds a placeholder.
 */
export function readHead(bytes) {
  const tag = (at) => bytes.toString('latin1', at, at + 4);
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw new NotAudio('no RIFF/WAVE header');
  const riffBytes = bytes.readUInt32LE(4);
  let byteRate;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = bytes.readUInt32LE(at + 4);
    if (tag(at) === 'data') {
      if (!byteRate) throw new NotAudio('sound without a format');
      const placeholder = isPlaceholder(riffBytes) || (size > riffBytes && isPlaceholder(size));
      if (!placeholder && size === 0) throw new NotAudio('no sound in it');
      if (!placeholder && at + 8 + size > riffBytes + 8) throw new NotAudio('more sound promised than the file holds');
      return { dataAt: at + 8, dataBytes: size, total: placeholder ? undefined : riffBytes + 8, placeholder, byteRate };
    }
    if (tag(at) === 'fmt ') {
      if (size < 16 || at + 24 > bytes.length) throw new NotAudio('format cut short');
      byteRate = bytes.readUInt32LE(at + 16);
    }
    at += 8 + size + (size % 2);
  }
  throw new NotAudio('no sound in it');
}

/** Whether `length` bytes are the whole file of `head`. A pad byte after an odd length may be there or not. */
export function isWhole(head, length) {
  if (head.total === undefined) return length > head.dataAt;
  return length === head.total || length === head.total + 1;
}

/** A copy of the first bytes with the true sizes in place of placeholders. */
export function withSizes(bytes, head, length) {
  if (!head.placeholder) return bytes;
  const fixed = Buffer.from(bytes);
  fixed.writeUInt32LE(length - 8, 4);
  fixed.writeUInt32LE(length - head.dataAt, head.dataAt - 4);
  return fixed;
}
