/** HTTP towards the cloud APIs: one request, every way it can end as a Failure. */

import { request } from 'undici';
import { retryAfterMs } from './budget.js';
import { Failure, fromNetwork, fromStatus } from './failure.js';

const MOST_JSON = 65536;

/** Removes keys from what another side said, and shortens it. */
export function redact(text, keys) {
  let clean = String(text);
  for (const key of keys) clean = clean.replaceAll(key, '***');
  return clean.replace(/\bsk-[\w-]{6,}/g, '***').replace(/\s+/g, ' ').slice(0, 200);
}

async function readText(body, { provider, signal }) {
  const chunks = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MOST_JSON) throw new Failure('upstream_broken', `${provider} sent too much JSON`, { provider });
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof Failure ? error : fromNetwork(error, { provider, started: true });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Sends one request; resolves to {body, contentLength, contentType} of a 200 answer. `signal` aborts it with a Failure
 * as reason. `reads` turns an error answer's JSON into {code, message, status?}; `secrets` never leave.
 */
export async function send(url, { provider, signal, agent, secrets, reads, ...options }) {
  let answer;
  try {
    answer = await request(url, { dispatcher: agent, signal, ...options });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw fromNetwork(error, { provider });
  }
  const { statusCode, headers, body } = answer;
  // undici emits an error on a body that nobody reads to its end once the signal aborts.
  body.on('error', () => {});
  if (statusCode === 200) {
    const length = headers['content-length'];
    return {
      body,
      contentType: String(headers['content-type'] ?? '').split(';')[0].trim().toLowerCase(),
      contentLength: length === undefined ? undefined : Number(length),
    };
  }
  const said = reads(parse(await readText(body, { provider, signal })) ?? {});
  throw fromStatus(said.status ?? statusCode, {
    provider,
    code: said.code && redact(said.code, secrets),
    message: said.message && redact(said.message, secrets),
    retryAfterMs: retryAfterMs(headers['retry-after'], Date.now()),
  });
}

/** The JSON object of an answer; upstream_broken for anything else. */
export async function json(answer, { provider, signal }) {
  const value = parse(await readText(answer.body, { provider, signal }));
  if (value === undefined) throw new Failure('upstream_broken', `${provider} sent no JSON object`, { provider });
  return value;
}

/** Refuses an answer that does not even claim to be sound. */
export function sound(answer, provider) {
  if (answer.contentType.startsWith('audio/') || answer.contentType === 'application/octet-stream') return answer;
  answer.body.destroy();
  const got = answer.contentType || 'nothing';
  throw new Failure('upstream_broken', `${provider} sent ${got} where audio was asked for`, { provider });
}
