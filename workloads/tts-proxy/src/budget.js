/** Arithmetic of time: deadlines, backoff, Retry-After. Pure; every time is in milliseconds. */

import { Failure } from './failure.js';

const WHOLE = /^[0-9]{1,15}$/;

/**
 * The moment by which the caller wants its answer: the earliest of `x-request-timeout` (ms from now),
 * `x-request-deadline` (ms since 1970) and the longest that is allowed; `defaultMs` from now where neither is given.
 * Throws bad_request for a header that is not a whole number.
 */
export function deadlineOf(headers, { now, defaultMs, maxMs }) {
  const number = (name) => {
    const text = headers[name];
    if (text === undefined) return undefined;
    if (!WHOLE.test(text)) throw new Failure('bad_request', `${name} must be a whole number of milliseconds`);
    return Number(text);
  };
  const timeout = number('x-request-timeout');
  const moment = number('x-request-deadline');
  const wanted = [timeout === undefined ? undefined : now + timeout, moment].filter((time) => time !== undefined);
  return Math.min(now + maxMs, ...(wanted.length ? wanted : [now + defaultMs]));
}

/**
 * Exponential backoff with full jitter: anything from 0 to `baseMs` * 2^attempt, at most `maxMs`. Whole, as timers are:
 * a fraction beside a moment since 1970 is rounded away, and the sum would no longer keep to its deadline.
 */
export function backoff(attempt, { baseMs, maxMs }, random) {
  return Math.floor(random() * Math.min(maxMs, baseMs * 2 ** attempt));
}

/** What a Retry-After header asks for, from either of its forms; undefined where it says nothing usable. */
export function retryAfterMs(header, now) {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2}, /.test(text)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : Math.max(0, moment - now);
}

/**
 * How long to wait before the next attempt, or null where there must be none: the failure is not safe to repeat, the
 * attempts are used up, or after the wait less than `leastMs` would be left. What the other side asked for is
 * waited in full; jitter comes on top, so that callers do not come back together.
 */
export function waitBefore({ attempt, failure, now, deadline, random }, { attempts, baseMs, maxMs, leastMs }) {
  if (!failure.repeat || attempt + 1 >= attempts) return null;
  const wait = (failure.retryAfterMs ?? 0) + backoff(attempt, { baseMs, maxMs }, random);
  return now + wait + leastMs > deadline ? null : wait;
}

/** The part of the time until `deadline` that one of `left` providers may use; the last gets all of it. */
export function share(now, deadline, left) {
  return left <= 1 ? deadline : now + Math.max(0, deadline - now) * 0.6;
}
