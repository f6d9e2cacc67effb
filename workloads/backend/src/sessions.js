/** Sessions live in Redis under a hash of the cookie: whoever reads Redis cannot take one over. */
import { createHash, randomBytes } from 'node:crypto';
import { Refusal } from './errors.js';

export const COOKIE = 'sid';
const LOGINS_PER_MINUTE = 10;

export class Sessions {
  /**
   * @param {import('ioredis').Redis} redis
   * @param {number} seconds without a request until a session ends
   */
  constructor(redis, seconds) {
    this.redis = redis;
    this.seconds = seconds;
  }

  /** @param {{id: string, name: string}} user */
  async open(user, request, reply) {
    const token = randomBytes(32).toString('base64url');
    await this.redis.set(key(token), JSON.stringify(user), 'EX', this.seconds);
    reply.setCookie(COOKIE, token, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: request.protocol === 'https',
      maxAge: this.seconds,
    });
  }

  async close(request, reply) {
    const token = request.cookies[COOKIE];
    if (token) await this.redis.del(key(token));
    reply.clearCookie(COOKIE, { path: '/' });
  }

  /**
   * The user of a request; a session lasts on with each.
   * @returns {Promise<{id: string, name: string}>}
   */
  async user(request) {
    const token = request.cookies[COOKIE];
    const found = token && (await this.redis.getex(key(token), 'EX', this.seconds));
    if (!found) throw new Refusal(401, 'not_logged_in', 'log in first');
    return JSON.parse(found);
  }

  /** Slows down the guessing of one name's password from one address. */
  async attempt(name, address) {
    const counter = `logins:${createHash('sha256').update(`${name.toLowerCase()}\0${address}`).digest('hex')}`;
    const [[, count]] = await this.redis.multi().incr(counter).expire(counter, 60, 'NX').exec();
    if (count > LOGINS_PER_MINUTE) throw new Refusal(429, 'too_many_logins', 'too many attempts; wait a minute');
  }
}

const key = (token) => `session:${createHash('sha256').update(token).digest('hex')}`;

/**
 * Refuses what another site's page sends: browsers name it in Origin, programs leave that out.
 * Only host names are compared, for a proxy may not hand on the port.
 */
export async function sameOrigin(request) {
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  const from = hostname(origin);
  if (!from || from !== hostname(`http://${host}`)) throw new Refusal(403, 'other_origin', 'requests from other sites are refused');
}

function hostname(url) {
  try {
    return new URL(url).hostname;
  } catch {
    return undefined;
  }
}
