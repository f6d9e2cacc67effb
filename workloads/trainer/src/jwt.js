/** Who somebody is, signed: JSON Web Tokens with HS256 and nothing else. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from './errors.js';

const HEADER = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).toString('base64url');
const LIFE_SECONDS = 12 * 3600;

const signature = (text, secret) => createHmac('sha256', secret).update(text).digest('base64url');

/** @param {{sub: string, role: string}} claims */
export function sign(claims, secret, now = Date.now()) {
  const issued = Math.floor(now / 1000);
  const body = Buffer.from(JSON.stringify({ ...claims, iat: issued, exp: issued + LIFE_SECONDS })).toString('base64url');
  return `${HEADER}.${body}.${signature(`${HEADER}.${body}`, secret)}`;
}

/** The claims, or undefined for what we did not sign, or no longer stand for. */
export function verify(token, secret, now = Date.now()) {
  const [header, body, given, ...rest] = String(token).split('.');
  if (header !== HEADER || given === undefined || rest.length) return undefined;
  const [wanted, found] = [signature(`${header}.${body}`, secret), given].map((text) => Buffer.from(text));
  if (wanted.length !== found.length || !timingSafeEqual(wanted, found)) return undefined;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  return claims.exp > now / 1000 ? claims : undefined;
}

/** A hook for routes that only one role may use. */
export function only(role, secret) {
  return async (request) => {
    const claims = verify(/^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '', secret);
    if (claims?.role !== role) throw new Refusal(401, 'unauthorized', `log in as ${role}`);
    request.who = claims.sub;
  };
}
