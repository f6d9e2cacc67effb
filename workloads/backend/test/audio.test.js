import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe as suite, test } from 'node:test';
import { apply, concat, duration, fade, gain, remix, resample, trim } from '../src/audio/edits.js';
import { decode, encode } from '../src/audio/pcm.js';
import { describe, peaks } from '../src/audio/peaks.js';
import { render } from '../src/audio/render.js';
import { parse } from '../src/audio/wav.js';
import { tone } from './tone.js';

const near = (found, wanted, by = 1e-4) => assert.ok(Math.abs(found - wanted) <= by, `${found} is not ${wanted}`);

/** A WAV file of any format around given sample bytes. */
function wav({ code = 1, bits, channels = 1, rate = 8000, body, before = Buffer.alloc(0), length = body.length }) {
  const format = Buffer.alloc(24);
  format.write('fmt ', 0);
  format.writeUInt32LE(16, 4);
  [code, channels].forEach((value, i) => format.writeUInt16LE(value, 8 + 2 * i));
  format.writeUInt32LE(rate, 12);
  format.writeUInt16LE(bits, 22);
  const data = Buffer.alloc(8);
  data.write('data');
  data.writeUInt32LE(length, 4);
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), format, before, data, body]);
}

suite('WAV files', () => {
  test('16 bits survive decoding and encoding to the bit', () => {
    const body = Buffer.alloc(8);
    [-32768, -1, 0, 32767].forEach((value, i) => body.writeInt16LE(value, i * 2));
    assert.deepEqual(encode(decode(wav({ bits: 16, body }))).subarray(44), body);
  });
  test('24 and 32 bits and floats have the same scale', () => {
    const half = { 24: Buffer.from([0, 0, 0x40, 0, 0, 0xc0]), 32: Buffer.from([0, 0, 0, 0x40, 0, 0, 0, 0xc0]) };
    for (const bits of [24, 32]) assert.deepEqual([...decode(wav({ bits, body: half[bits] })).samples], [0.5, -0.5]);
    const body = Buffer.alloc(12);
    [0.5, NaN, -0.25].forEach((value, i) => body.writeFloatLE(value, i * 4));
    assert.deepEqual([...decode(wav({ code: 3, bits: 32, body })).samples], [0.5, 0, -0.25]);
  });
  test('other chunks are passed over, a length that a stream guessed ends with the file', () => {
    const list = Buffer.from('LIST\x03\0\0\0abc\0');
    const found = parse(wav({ bits: 16, body: Buffer.alloc(10), before: list, length: 0x7ffff000 }));
    assert.equal(found.frames, 5);
  });
  test('what it is not, is said', () => {
    const said = (bytes, message) => assert.throws(() => parse(bytes), { code: 'unsupported_audio', message });
    said(Buffer.from('ID3'), /not a WAV/);
    said(wav({ bits: 8, body: Buffer.alloc(4) }), /8 bits/);
    said(wav({ code: 85, bits: 16, body: Buffer.alloc(4) }), /format 85/);
    said(wav({ bits: 16, body: Buffer.alloc(0) }), /no samples/);
    said(wav({ bits: 16, rate: 1, body: Buffer.alloc(4) }), /1 samples/);
    said(wav({ bits: 16, channels: 0, body: Buffer.alloc(4) }), /0 channels/);
    said(wav({ bits: 16, body: Buffer.alloc(4) }).subarray(0, 36), /no data chunk/);
  });
  test('no bytes at all make it fail in another way', () => {
    const good = encode(tone());
    for (let cut = 0; cut < 60; cut++) {
      for (let at = 0; at < 44; at++) {
        const bytes = Buffer.from(good.subarray(0, 44 + cut));
        bytes[at] ^= 1 << (cut % 8);
        try {
          decode(bytes);
        } catch (error) {
          assert.equal(error.code, 'unsupported_audio', error.stack);
        }
      }
    }
  });
});

suite('edits', () => {
  const audio = tone({ seconds: 1, channels: 2 });
  test('trim keeps what lies between, to the sample', () => {
    const cut = trim(audio, 0.25, 0.5);
    near(duration(cut), 0.25);
    assert.deepEqual(cut.samples, audio.samples.slice(2 * 2000, 2 * 4000));
    near(duration(trim(audio, 0.5)), 0.5);
    near(duration(trim(audio, 0.5, 99)), 0.5);
    assert.throws(() => trim(audio, 2), { code: 'nothing_left' });
  });
  test('gain counts in decibels, and what is too loud is clipped when it is written', () => {
    near(gain(audio, -20).samples[7], audio.samples[7] / 10);
    const loud = decode(encode(gain(audio, 40)));
    near(Math.max(...loud.samples), 32767 / 32768);
  });
  test('a fade begins and ends in silence and leaves the middle alone', () => {
    const flat = { sampleRate: 1000, channels: 1, samples: new Float32Array(1000).fill(1) };
    const faded = fade(flat, 0.1, 0.2).samples;
    assert.deepEqual([faded[0], faded[999], faded[500]], [0, 0, 1]);
    near(faded[50], 0.5);
    near(faded[899], 0.5, 0.01);
    assert.deepEqual(fade(flat).samples, flat.samples);
    assert.ok(fade(flat, 99, 99).samples.every((value) => value >= 0 && value <= 1));
  });
  test('joining adds durations, in the first one’s rate and channels', () => {
    const joined = concat(audio, tone({ seconds: 0.5, sampleRate: 22050 }));
    near(duration(joined), 1.5);
    assert.deepEqual([joined.channels, joined.sampleRate], [2, 8000]);
  });
  test('another sample rate keeps duration and level', () => {
    const found = resample(tone({ seconds: 1, hz: 100 }), 44100);
    near(duration(found), 1);
    near(Math.max(...found.samples), 0.5, 0.01);
  });
  test('one channel is spread, several are averaged', () => {
    const two = { sampleRate: 8000, channels: 2, samples: Float32Array.of(1, 0, 0.5, 0.5) };
    assert.deepEqual([...remix(two, 1).samples], [0.5, 0.5]);
    assert.deepEqual([...remix(remix(two, 1), 3).samples], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  });
  test('speech joins at either end, or is the audio', () => {
    const speech = tone({ seconds: 0.5, sampleRate: 16000 });
    assert.equal(apply(undefined, { type: 'speech' }, speech), speech);
    const before = apply(audio, { type: 'speech', position: 'start' }, speech);
    assert.deepEqual(before.samples.slice(-audio.samples.length), audio.samples);
    const after = apply(audio, { type: 'speech' }, speech);
    assert.deepEqual(after.samples.slice(0, audio.samples.length), audio.samples);
    assert.throws(() => apply(undefined, { type: 'gain', db: 1 }), { code: 'no_audio' });
  });
});

suite('files', () => {
  let folder;
  test.before(async () => (folder = await mkdtemp(path.join(tmpdir(), 'audio-'))));
  test.after(() => rm(folder, { recursive: true }));
  test('peaks show the loud half', async () => {
    const quiet = gain(tone({ seconds: 10 }), -40);
    const file = path.join(folder, 'peaks.wav');
    await writeFile(file, encode(concat(quiet, tone({ seconds: 10 }))));
    const found = await peaks(file, 100);
    assert.equal(found.length, 100);
    assert.ok(found.slice(0, 50).every((value) => value < 0.01) && found.slice(50).every((value) => value > 0.49));
    assert.equal((await describe(file)).frames, 160000);
  });
  test('an edit in its thread: progress, result, refusal, stop', async () => {
    const source = path.join(folder, 'in.wav');
    const output = path.join(folder, 'out.wav');
    await writeFile(source, encode(tone({ seconds: 1 })));
    const shares = [];
    const task = { source, operations: [{ type: 'trim', start: 0.5 }], speeches: [null], output };
    const signal = new AbortController().signal;
    const found = await render(task, (share) => shares.push(share), signal);
    assert.deepEqual([found.seconds, found.bytes, found.sampleRate], [0.5, 8044, 8000]);
    assert.deepEqual(shares, [...shares].sort((a, b) => a - b));
    const nothing = { ...task, operations: [{ type: 'trim', start: 5 }] };
    await assert.rejects(render(nothing, () => {}, signal), { code: 'nothing_left', status: 422 });
    const stop = new AbortController();
    const stopped = render(task, () => {}, stop.signal);
    stop.abort(new Error('stopped by test'));
    await assert.rejects(stopped, /stopped by test/);
  });
});
