import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { hold } from '../src/hold.js';
import { NotAudio, isWhole, readHead, withSizes } from '../src/wav.js';

const signal = new AbortController().signal;

/** A WAVE file with `samples` bytes of sound and an optional chunk before it. */
function wav(samples, { extra = 0, riff, data } = {}) {
  const list = extra ? Buffer.concat([Buffer.from('LIST'), Buffer.from(Uint32Array.of(extra).buffer), Buffer.alloc(extra + (extra % 2))]) : Buffer.alloc(0);
  const fmt = Buffer.alloc(24);
  fmt.write('fmt ');
  fmt.writeUInt32LE(16, 4);
  fmt.writeUInt16LE(1, 8);
  fmt.writeUInt16LE(1, 10);
  fmt.writeUInt32LE(22050, 12);
  fmt.writeUInt32LE(44100, 16);
  const head = Buffer.alloc(8);
  head.write('data');
  head.writeUInt32LE(data ?? samples, 4);
  const rest = Buffer.concat([fmt, list, head, Buffer.alloc(samples, 7)]);
  const start = Buffer.alloc(12);
  start.write('RIFF');
  start.writeUInt32LE(riff ?? rest.length + 4, 4);
  start.write('WAVE', 8);
  return Buffer.concat([start, rest]);
}

/** An answer whose body comes in pieces, and may break. */
function answer(bytes, { piece = 1000, contentLength, error } = {}) {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
    if (error) throw Object.assign(new Error('gone'), { code: error });
  }
  return { body: Readable.from(pieces()), contentLength };
}

const held = (given, holdBytes = 4096) => hold(given, { provider: 'p', holdBytes, signal });

test('a head tells the length of its file', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(60), (samples, extra) => {
    const bytes = wav(samples, { extra });
    const head = readHead(bytes);
    assert.equal(head.total, bytes.length);
    assert.ok(isWhole(head, bytes.length));
    assert.ok(!isWhole(head, bytes.length - 1));
  }));
});

test('anything else is no audio, and never crashes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.throws(() => readHead(Buffer.from(bytes)), NotAudio);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    try { readHead(Buffer.concat([Buffer.from('RIFF\x40\0\0\0WAVE', 'latin1'), Buffer.from(bytes)])); } catch (error) { assert.ok(error instanceof NotAudio); }
  }));
  assert.throws(() => readHead(wav(0)), NotAudio);
});

test('placeholders give way to true sizes', () => {
  for (const size of [0, 0x7ffff000, 0xffffffff]) {
    const bytes = wav(500, { riff: size, data: size });
    assert.deepEqual(withSizes(bytes, readHead(bytes), bytes.length), wav(500));
  }
});

test('whole audio passes unchanged, held or streamed, in any pieces', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 20000 }), fc.integer({ min: 1, max: 7000 }), fc.boolean(), async (samples, piece, said) => {
    const bytes = wav(samples);
    const audio = await held(answer(bytes, { piece, ...(said && { contentLength: bytes.length }) }));
    assert.equal(audio.length, bytes.length);
    assert.deepEqual(await buffer(audio.stream), bytes);
  }), { numRuns: 60 });
});

test('a cut answer never ends well', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 100, max: 20000 }), fc.double({ min: 0, max: 0.99, noNaN: true }), fc.constantFrom(undefined, 'UND_ERR_SOCKET'), async (samples, part, error) => {
    const bytes = wav(samples);
    const given = answer(bytes.subarray(0, Math.floor(bytes.length * part)), { contentLength: bytes.length, error });
    await assert.rejects(async () => { await buffer((await held(given)).stream); }, { code: 'upstream_broken', repeat: false });
  }), { numRuns: 60 });
});

test('more than promised is as wrong as less', async () => {
  const bytes = wav(10000);
  const given = answer(Buffer.concat([bytes, Buffer.alloc(3000)]), { contentLength: bytes.length });
  await assert.rejects(async () => { await buffer((await held(given)).stream); }, { code: 'upstream_broken' });
  await assert.rejects(held(answer(Buffer.concat([wav(100), Buffer.alloc(50)]))), { code: 'upstream_broken' });
});

test('long audio whose length is nowhere said is refused', async () => {
  await assert.rejects(held(answer(wav(10000, { riff: 0xffffffff, data: 0xffffffff }))), { code: 'upstream_broken', message: /length/ });
});
