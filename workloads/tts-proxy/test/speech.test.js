import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { CODES, Failure, fallsOver } from '../src/failure.js';
import { Provider } from '../src/provider.js';
import { candidates, speak } from '../src/speech.js';

const voices = { cosyvoice: [{ id: 'a' }, { id: 'b' }], 'gpt-sovits': [{ id: 'b' }, { id: 'c' }] };
const signal = new AbortController().signal;
const log = { warn() {} };
const wanted = { text: 'x', speed: 1, provider: 'auto' };

const fake = (said) => ({ speak: async () => { if (said instanceof Failure) throw said; return { audio: said, release() {} }; } });
const ask = (first, second) => speak(wanted, { providers: new Map([['cosyvoice', fake(first)], ['gpt-sovits', fake(second)]]), voices, deadline: Date.now() + 60000, signal, log });

test('a voice narrows the providers', () => {
  assert.deepEqual(candidates({ provider: 'auto' }, voices), ['cosyvoice', 'gpt-sovits']);
  assert.deepEqual(candidates({ provider: 'auto', voice: 'b' }, voices), ['cosyvoice', 'gpt-sovits']);
  assert.deepEqual(candidates({ provider: 'auto', voice: 'c' }, voices), ['gpt-sovits']);
  for (const request of [{ provider: 'cosyvoice', voice: 'c' }, { provider: 'auto', voice: 'd' }]) {
    assert.throws(() => candidates(request, voices), { code: 'unprocessable' });
  }
  assert.throws(() => candidates({ provider: 'gpt-sovits' }, { cosyvoice: voices.cosyvoice }), { code: 'unprocessable', message: /set up: cosyvoice/ });
});

test('auto answers when either can, and else with the failure that gives most hope', async () => {
  const failure = fc.constantFrom(...CODES).map((code) => new Failure(code, 'x'));
  await fc.assert(fc.asyncProperty(failure, failure, async (first, second) => {
    assert.deepEqual((await ask('sound', second)).provider, 'cosyvoice');
    // Late in its share of the time is no reason to give up; every other failure that stays, stays.
    const goesOn = fallsOver(first) || first.code === 'deadline_exceeded';
    const attempt = ask(first, 'sound');
    if (goesOn) assert.equal((await attempt).provider, 'gpt-sovits');
    else await assert.rejects(attempt, (error) => error === first);
    await assert.rejects(ask(first, second), (error) => {
      if (!goesOn) return error === first;
      const stays = !fallsOver(second) && second.code !== 'deadline_exceeded';
      return error === (stays || second.retryable || !first.retryable ? second : first);
    });
  }));
});

const limits = { concurrency: 2, queue: 2, attempts: 3, attemptMs: 20000, baseMs: 1, maxMs: 5, leastMs: 1, breakerFailures: 3, breakerOpenMs: 1000, holdBytes: 4096 };
const meter = { attempt() {} };
const times = () => ({ deadline: Date.now() + 20000, end: Date.now() + 20000, signal });

test('a provider gives its place back after any failure, and repeats only what is safe', async () => {
  for (const code of CODES) {
    let calls = 0;
    const adapter = { name: 'p', synthesize: async () => { calls += 1; throw new Failure(code, 'x'); } };
    const provider = new Provider(adapter, { ...limits, breakerFailures: 100 }, meter);
    await assert.rejects(provider.speak({}, times()), { code });
    assert.equal(calls, new Failure(code, 'x').repeat ? 3 : 1, code);
    assert.deepEqual(provider.state(), { circuit: 'closed', running: 0, waiting: 0 });
  }
});

test('an open circuit tells how long, tries one, and tells what opened it', async () => {
  let calls = 0;
  let well = false;
  const adapter = { name: 'p', synthesize: async () => { calls += 1; throw new Failure(well ? 'upstream_auth' : 'upstream_failed', 'x'); } };
  const provider = new Provider(adapter, limits, meter);
  await assert.rejects(provider.speak({}, times()), { code: 'upstream_failed' });
  await assert.rejects(provider.speak({}, times()), ({ code, retryAfterMs }) => code === 'circuit_open' && retryAfterMs > 0 && retryAfterMs <= 1000);
  assert.equal(calls, 3);
  await new Promise((resolve) => { setTimeout(resolve, 1050); });
  await assert.rejects(provider.speak({}, times()), { code: 'upstream_failed' });
  assert.equal(calls, 4);
  well = true;
  await new Promise((resolve) => { setTimeout(resolve, 1050); });
  await assert.rejects(provider.speak({}, times()), { code: 'upstream_auth' });
  assert.equal(provider.state().circuit, 'closed');
});

test('a provider that never answers is left at the deadline', async () => {
  const provider = new Provider({ name: 'p', synthesize: () => new Promise(() => {}) }, limits, meter);
  const began = Date.now();
  await assert.rejects(provider.speak({}, { ...times(), deadline: began + 100 }), { code: 'upstream_timeout' });
  assert.ok(Date.now() - began < 5000);
});

/** A source of audio that comes slowly, a piece every 20 ms, until the signal aborts. */
function slowly(pieces) {
  const bytes = Buffer.alloc(pieces * 1000, 7);
  bytes.write('RIFF');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt32LE(44100, 28);
  bytes.write('data', 36);
  bytes.writeUInt32LE(bytes.length - 44, 40);
  const open = async (until) => {
    async function* body() {
      for (let at = 0; at < bytes.length; at += 1000) {
        await sleep(20, undefined, { signal: until });
        yield bytes.subarray(at, at + 1000);
      }
    }
    return { body: Readable.from(body()), contentLength: bytes.length };
  };
  return { name: 'p', bytes, synthesize: async () => ({ open, again: false }) };
}

test('streamed audio may take longer than an attempt, but not than its caller waits', async () => {
  const adapter = slowly(250);
  const provider = new Provider(adapter, { ...limits, attemptMs: 4000, holdBytes: 2048 }, meter);
  const began = Date.now();
  const { audio, release } = await provider.speak({}, { deadline: began + 4000, end: began + 240000, signal });
  assert.deepEqual(await buffer(audio.stream), adapter.bytes);
  assert.ok(Date.now() - began > 4800);
  release();
  const now = Date.now();
  const cut = await provider.speak({}, { deadline: now + 4000, end: now + 4500, signal });
  await assert.rejects(buffer(cut.audio.stream), { code: 'upstream_timeout' });
  cut.release();
  assert.equal(provider.state().running, 0);
});
