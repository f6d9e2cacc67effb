/** Passwords are kept as scrypt hashes with their own salt and cost. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const COST = 16384;
const derive = promisify(scrypt);

/** @param {string} password */
export async function hash(password) {
  const salt = randomBytes(16);
  const key = await derive(password, salt, 32, { N: COST });
  return `scrypt$${COST}$${salt.toString('base64')}$${key.toString('base64')}`;
}

/**
 * @param {string} password
 * @param {string | undefined} stored without one, the same time is spent: names cannot be guessed by the clock
 */
export async function matches(password, stored) {
  const [, cost, salt, key] = (stored ?? `scrypt$${COST}$AAAA$`).split('$');
  const found = await derive(password, Buffer.from(salt, 'base64'), 32, { N: Number(cost) });
  const wanted = Buffer.from(key, 'base64');
  return wanted.length === found.length && timingSafeEqual(found, wanted);
}
