import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merge, operations, speech, time } from '../src/jobs.js';
import { pause } from '../src/live.js';

const EMPTY = { start: '', end: '', db: 0, fadeIn: 0, fadeOut: 0, text: ' ', voice: '', position: 'end' };

test('an empty form asks for nothing', () => {
  assert.deepEqual(operations(EMPTY), []);
});

test('the form becomes operations, cut first, faded last', () => {
  const form = { ...EMPTY, start: '0.5', end: 2, db: '-6', fadeIn: 0.1, text: ' hi ', voice: 'cosyvoice ann' };
  assert.deepEqual(operations(form), [
    { type: 'trim', start: 0.5, end: 2 },
    { type: 'speech', text: 'hi', provider: 'cosyvoice', voice: 'ann', position: 'end' },
    { type: 'gain', db: -6 },
    { type: 'fade', in: 0.1, out: 0 },
  ]);
  assert.deepEqual(operations({ ...EMPTY, start: 1 }), [{ type: 'trim', start: 1 }]);
  assert.deepEqual(operations({ ...EMPTY, end: 1 }), [{ type: 'trim', start: 0, end: 1 }]);
  assert.deepEqual(speech({ text: 'hi', voice: '' }), { type: 'speech', text: 'hi' });
});

test('a late event takes nothing back, and other jobs stay as they are', () => {
  const jobs = [{ id: 'a', status: 'running', percent: 40 }, { id: 'b', status: 'done', percent: 100 }];
  assert.equal(merge(jobs, { id: 'a', percent: 60, status: 'running' })[0].percent, 60);
  assert.equal(merge(jobs, { id: 'a', percent: 0, status: 'queued' })[0].status, 'queued');
  assert.equal(merge(jobs, { id: 'b', percent: 98, status: 'running' }), jobs);
  assert.equal(merge(jobs, { id: 'c', status: 'running' }), jobs);
  assert.equal(jobs[0].percent, 40);
});

test('time', () => {
  assert.deepEqual([0, 9.96, 61.25, 600].map(time), ['0:00.0', '0:09.9', '1:01.2', '10:00.0']);
});

test('back at once after a goodbye, slower each time after a failure', () => {
  assert.ok(pause(1001, 0, 1) <= 250);
  assert.ok(pause(1006, 0, 1) <= 250 && pause(1006, 3, 0) >= 1000);
  assert.ok(pause(1006, 50, 1) <= 10_000);
});
