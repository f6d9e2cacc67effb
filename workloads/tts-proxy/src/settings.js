/** Settings from the environment and files; all problems are told together, secrets never. */

import { readFileSync } from 'node:fs';

const BUILT_IN = JSON.parse(readFileSync(new URL('./voices.json', import.meta.url), 'utf8'));
const FIELDS = { cosyvoice: ['id'], 'gpt-sovits': ['id', 'ref_audio_path', 'prompt_lang'] };

// Name, default, least, most. Times are in milliseconds.
const NUMBERS = {
  port: ['PORT', 8001, 1, 65535],
  adminPort: ['ADMIN_PORT', 8051, 1, 65535],
  timeoutMs: ['TIMEOUT_MS', 30000, 100, 600000],
  maxTimeoutMs: ['MAX_TIMEOUT_MS', 120000, 100, 600000],
  maxText: ['MAX_TEXT', 5000, 1, 20000],
  drainMs: ['DRAIN_MS', 2000, 0, 60000],
  stopGraceMs: ['STOP_GRACE_MS', 30000, 0, 600000],
};
const LIMITS = {
  attempts: ['ATTEMPTS', 3, 1, 10],
  attemptMs: ['ATTEMPT_TIMEOUT_MS', 20000, 100, 600000],
  baseMs: ['BACKOFF_MS', 200, 1, 60000],
  maxMs: ['BACKOFF_MAX_MS', 5000, 1, 60000],
  leastMs: ['LEAST_ATTEMPT_MS', 250, 0, 60000],
  concurrency: ['CONCURRENCY', 8, 1, 1000],
  queue: ['QUEUE', 32, 0, 10000],
  breakerFailures: ['BREAKER_FAILURES', 5, 1, 1000],
  breakerOpenMs: ['BREAKER_OPEN_MS', 10000, 10, 600000],
  holdBytes: ['HOLD_BYTES', 1048576, 1024, 67108864],
};

/** Thrown with one problem a line. */
export class BadSettings extends Error {}

function numbers(table, env, problems) {
  return Object.fromEntries(Object.entries(table).map(([field, [name, fallback, least, most]]) => {
    const text = env[name];
    if (text === undefined || text === '') return [field, fallback];
    const value = /^[0-9]{1,12}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) problems.push(`${name}=${text}: must be a whole number from ${least} to ${most}`);
    return [field, value];
  }));
}

function provider(prefix, env, read, problems) {
  const names = { url: `${prefix}_CLOUD_API_URL`, key: `${prefix}_CLOUD_API_KEY_FILE`, plain: `${prefix}_CLOUD_API_KEY` };
  if (env[names.plain]) problems.push(`${names.plain}: a key in the environment can be read by anyone who may inspect; give ${names.key}`);
  const { [names.url]: url, [names.key]: file } = env;
  if (!url && !file) return undefined;
  if (!url) problems.push(`${names.url}: missing, though ${names.key} is given`);
  else if (!/^https?:\/\/[^/?#@]+([/][^?#]*)?$/.test(url) || !URL.canParse(url)) problems.push(`${names.url}=${url}: must be an http or https address without user, query or fragment`);
  if (!file) {
    problems.push(`${names.key}: missing, though ${names.url} is given`);
    return undefined;
  }
  try {
    const key = read(file).trim();
    if (/^[\x21-\x7e]+$/.test(key)) return { url, key };
    problems.push(`${names.key}=${file}: must hold one key of printable characters`);
  } catch (error) {
    problems.push(`${names.key}=${file}: cannot be read (${error.code})`);
  }
  return undefined;
}

/** Voices of a provider that the text lacks are the built-in ones. */
function voicesOf(text, source, problems) {
  const bad = (why) => { problems.push(`${source}: ${why}`); return {}; };
  let voices;
  try {
    voices = JSON.parse(text);
  } catch {
    return bad('is no JSON');
  }
  if (voices === null || typeof voices !== 'object' || Array.isArray(voices)) return bad('must map providers to voices');
  const unknown = Object.keys(voices).find((name) => !(name in FIELDS));
  if (unknown) return bad(`${unknown}: no such provider`);
  for (const [name, list] of Object.entries(voices)) {
    if (!Array.isArray(list) || !list.length) return bad(`${name} must be a list of voices`);
    for (const [index, voice] of list.entries()) {
      for (const field of FIELDS[name]) if (typeof voice?.[field] !== 'string' || !voice[field]) bad(`${name}[${index}].${field}: missing`);
    }
  }
  return { ...BUILT_IN, ...voices };
}

/** Reads everything; throws BadSettings. */
export function readSettings(env, read = (path) => readFileSync(path, 'utf8')) {
  const problems = [];
  const settings = numbers(NUMBERS, env, problems);
  const limits = numbers(LIMITS, env, problems);
  const cosyvoice = provider('COSYVOICE', env, read, problems);
  const gptSovits = provider('GPT_SOVITS', env, read, problems);
  if (!cosyvoice && !gptSovits && !problems.length) problems.push('COSYVOICE_CLOUD_API_URL or GPT_SOVITS_CLOUD_API_URL: at least one provider is needed');
  let voices = BUILT_IN;
  if (env.VOICES_FILE) {
    try {
      voices = voicesOf(read(env.VOICES_FILE), env.VOICES_FILE, problems);
    } catch (error) {
      problems.push(`VOICES_FILE=${env.VOICES_FILE}: cannot be read (${error.code})`);
    }
  }
  if (settings.port === settings.adminPort) problems.push(`PORT and ADMIN_PORT are both ${settings.port}`);
  if (problems.length) throw new BadSettings(problems.join('\n'));
  const audioHosts = (env.COSYVOICE_AUDIO_HOSTS ?? '.aliyuncs.com').split(',').map((host) => host.trim()).filter(Boolean);
  return {
    ...settings,
    limits,
    cosyvoice: cosyvoice && { ...cosyvoice, model: env.COSYVOICE_MODEL || 'cosyvoice-v3-flash', audioHosts },
    gptSovits,
    voices: { ...(cosyvoice && { cosyvoice: voices.cosyvoice }), ...(gptSovits && { 'gpt-sovits': voices['gpt-sovits'] }) },
  };
}
