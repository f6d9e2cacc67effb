import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slots } from '../src/slots.js';

const never = new AbortController().signal;

test('never more than the limit, never more waiting than the queue, nothing lost', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.nat(5), fc.nat(20), async (limit, queue, requests) => {
    const slots = new Slots(limit, queue, 'p');
    let running = 0;
    let most = 0;
    const one = async () => {
      const release = await slots.acquire(never);
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      release();
      release();
    };
    const ends = await Promise.allSettled(Array.from({ length: requests }, one));
    const refused = ends.filter(({ status }) => status === 'rejected');
    assert.ok(most <= limit);
    assert.equal(refused.length, Math.max(0, requests - limit - queue));
    assert.ok(refused.every(({ reason }) => reason.code === 'busy' && reason.retryAfter >= 1));
    assert.deepEqual([slots.taken, slots.waiting], [0, 0]);
  }));
});

test('who gives up while waiting leaves its place to the next', async () => {
  const slots = new Slots(1, 2, 'p');
  const release = await slots.acquire(never);
  const gone = new AbortController();
  const first = slots.acquire(gone.signal);
  const second = slots.acquire(never);
  gone.abort(new Error('gone'));
  await assert.rejects(first, /gone/);
  release();
  (await second)();
  assert.deepEqual([slots.taken, slots.waiting], [0, 0]);
});
