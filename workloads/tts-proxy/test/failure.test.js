import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure, fallsOver, fromNetwork, fromStatus } from '../src/failure.js';
import { redact } from '../src/upstream.js';
import { reads } from '../src/providers/gpt-sovits.js';

const provider = 'cosyvoice';

test('every status has a failure; only 429 and 5xx are repeated, only 5xx counts against the provider', () => {
  fc.assert(fc.property(fc.integer({ min: 201, max: 599 }), (status) => {
    const failure = fromStatus(status, { provider });
    assert.ok(failure.status >= 400 && failure.status <= 504);
    assert.equal(failure.repeat, status === 429 || (status >= 500 && status !== 504));
    if (status >= 400 && status < 500 && status !== 408) assert.equal(failure.trips, false);
  }));
});

test('what callers see', () => {
  const seen = (status, extra) => { const { code, status: out } = fromStatus(status, { provider, ...extra }); return [code, out]; };
  assert.deepEqual(seen(400), ['upstream_rejected', 422]);
  assert.deepEqual(seen(401), ['upstream_auth', 502]);
  assert.deepEqual(seen(403), ['upstream_auth', 502]);
  assert.deepEqual(seen(400, { code: 'Arrearage' }), ['upstream_auth', 502]);
  assert.deepEqual(seen(404), ['upstream_misconfigured', 502]);
  assert.deepEqual(seen(429), ['rate_limited', 429]);
  assert.deepEqual(seen(500), ['upstream_failed', 502]);
  assert.deepEqual(seen(302), ['upstream_broken', 502]);
});

test('an authentication failure repeats nothing of what the other side said', () => {
  const failure = fromStatus(401, { provider, code: 'InvalidApiKey', message: 'Incorrect API key provided: sk-verysecret' });
  assert.doesNotMatch(failure.message, /secret|InvalidApiKey/);
});

test('keys never survive', () => {
  fc.assert(fc.property(fc.string(), fc.string({ minLength: 8, maxLength: 30 }).filter((key) => !/[\s*]/.test(key)), fc.string(), (before, key, after) => {
    assert.ok(!redact(before + key + after, [key]).includes(key));
  }));
  assert.equal(redact('key sk-0123456789abcdef is wrong', []), 'key *** is wrong');
});

test('a connection that breaks is repeated only before the first byte', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT']) {
    assert.equal(fromNetwork({ code }, { provider }).repeat, true, code);
    assert.equal(fromNetwork({ code }, { provider, started: true }).repeat, false, code);
    assert.equal(fromNetwork({ code }, { provider, started: true }).code, 'upstream_broken');
  }
  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    assert.equal(fromNetwork({ code }, { provider }).code, 'upstream_misconfigured', code);
  }
  assert.equal(fromNetwork({ code: 'HPE_INVALID_CONSTANT' }, { provider }).repeat, false);
  assert.equal(fromNetwork(new Error('?'), { provider }).repeat, false);
});

test('a paid synthesis is not repeated', () => {
  const failure = new Failure('upstream_failed', 'x', { provider, retryAfterMs: 5 }).final();
  assert.deepEqual([failure.repeat, failure.retryable, failure.trips, failure.retryAfterMs], [false, true, true, 5]);
});

test('refused input stays where it is; a provider in trouble is left for the other', () => {
  for (const code of ['bad_request', 'unprocessable', 'upstream_rejected', 'cancelled']) assert.equal(fallsOver(new Failure(code, 'x')), false, code);
  for (const code of ['upstream_auth', 'rate_limited', 'circuit_open', 'busy', 'upstream_timeout', 'upstream_broken']) assert.equal(fallsOver(new Failure(code, 'x')), true, code);
});

test('Retry-After is rounded up', () => {
  fc.assert(fc.property(fc.nat(1e6), (wait) => {
    const { retryAfter } = new Failure('busy', 'x', { retryAfterMs: wait });
    assert.ok(retryAfter * 1000 >= wait && retryAfter >= 1 && retryAfter * 1000 < wait + 1001);
  }));
});

test('GPT-SoVITS says 400 for its own failures too', () => {
  assert.equal(reads({ message: 'tts failed', Exception: 'out of memory' }).status, 500);
  assert.equal(reads({ message: 'text is required' }).status, undefined);
  assert.equal(reads({}).status, undefined);
});
