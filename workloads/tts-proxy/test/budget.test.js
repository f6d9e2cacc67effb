import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoff, deadlineOf, retryAfterMs, share, waitBefore } from '../src/budget.js';
import { CODES, Failure } from '../src/failure.js';

const ms = fc.integer({ min: 0, max: 1e7 });
const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const now = 1.7e12;

test('a deadline is never later than any wish or the limit', () => {
  fc.assert(fc.property(fc.option(ms), fc.option(ms), ms, ms, (timeout, ahead, defaultMs, maxMs) => {
    const headers = {
      ...(timeout !== null && { 'x-request-timeout': String(timeout) }),
      ...(ahead !== null && { 'x-request-deadline': String(now + ahead) }),
    };
    const deadline = deadlineOf(headers, { now, defaultMs, maxMs });
    assert.ok(deadline <= now + maxMs);
    if (timeout !== null) assert.ok(deadline <= now + timeout);
    if (ahead !== null) assert.ok(deadline <= now + ahead);
    if (timeout === null && ahead === null) assert.equal(deadline, now + Math.min(defaultMs, maxMs));
  }));
});

test('a deadline that is no whole number is refused by its header\'s name', () => {
  for (const text of ['', '-1', '1.5', '30s', 'NaN', '1e3']) {
    assert.throws(() => deadlineOf({ 'x-request-timeout': text }, { now, defaultMs: 1, maxMs: 1 }), { code: 'bad_request', message: /x-request-timeout/ });
  }
});

test('backoff is within its doubling bound', () => {
  fc.assert(fc.property(fc.nat(40), ms, ms, unit, (attempt, baseMs, maxMs, random) => {
    const wait = backoff(attempt, { baseMs, maxMs }, () => random);
    assert.ok(wait >= 0 && wait <= maxMs && wait <= baseMs * 2 ** attempt);
  }));
});

test('full jitter reaches the whole range', () => {
  const limits = { baseMs: 100, maxMs: 1e6 };
  assert.equal(backoff(3, limits, () => 0), 0);
  assert.equal(backoff(3, limits, () => 0.5), 400);
});

test('Retry-After in both forms', () => {
  fc.assert(fc.property(fc.nat(100000), (seconds) => {
    assert.equal(retryAfterMs(String(seconds), now), seconds * 1000);
    assert.equal(retryAfterMs(new Date(now + seconds * 1000).toUTCString(), now), seconds * 1000);
  }));
  assert.equal(retryAfterMs(new Date(now - 5000).toUTCString(), now), 0);
  for (const text of [undefined, '', 'soon', '-3', '1.5', '2026-01-01']) assert.equal(retryAfterMs(text, now), undefined);
});

const limits = fc.record({ attempts: fc.integer({ min: 1, max: 10 }), baseMs: ms, maxMs: ms, leastMs: fc.nat(1000) });

test('no attempt begins that the deadline would cut, none beyond their number, none that is unsafe', () => {
  const failure = fc.record({ code: fc.constantFrom(...CODES), retryAfterMs: fc.option(ms, { nil: undefined }) })
    .map(({ code, retryAfterMs: wait }) => new Failure(code, 'x', { retryAfterMs: wait }));
  fc.assert(fc.property(fc.nat(12), failure, ms, unit, limits, (attempt, said, ahead, random, set) => {
    const wait = waitBefore({ attempt, failure: said, now, deadline: now + ahead, random: () => random }, set);
    if (wait === null) return;
    assert.ok(said.repeat);
    assert.ok(attempt + 1 < set.attempts);
    assert.ok(wait + set.leastMs <= ahead);
    assert.ok(wait >= (said.retryAfterMs ?? 0));
    assert.ok(wait <= (said.retryAfterMs ?? 0) + set.maxMs);
    assert.ok(Number.isInteger(wait));
  }), { numRuns: 500, examples: [[0, new Failure('rate_limited', 'x'), 0, 5e-324, { attempts: 2, baseMs: 1, maxMs: 1, leastMs: 0 }]] });
});

test('a safe failure with time left is tried again', () => {
  const failure = new Failure('rate_limited', 'x', { retryAfterMs: 1000 });
  const set = { attempts: 3, baseMs: 100, maxMs: 1000, leastMs: 200 };
  const at = (ahead) => waitBefore({ attempt: 0, failure, now, deadline: now + ahead, random: () => 0.5 }, set);
  assert.equal(at(1250), 1050);
  assert.equal(at(1249), null);
});

test('shares lie between now and the deadline; the last provider has it all', () => {
  fc.assert(fc.property(ms, fc.integer({ min: 1, max: 5 }), (ahead, left) => {
    const until = share(now, now + ahead, left);
    assert.ok(until >= now && until <= now + ahead);
    if (left === 1) assert.equal(until, now + ahead);
  }));
});
