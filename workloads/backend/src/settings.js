/** The process's settings, read from the environment once; everything that is wrong is told together. */
import { readFileSync } from 'node:fs';

export class SettingsError extends Error {}

const SECRETS = { MYSQL_PASSWORD: 'MYSQL_PASSWORD_FILE', REDIS_PASSWORD: 'REDIS_PASSWORD_FILE' };

/**
 * @param {Record<string, string | undefined>} env
 * @param {(path: string) => string} read
 */
export function settings(env = process.env, read = (path) => readFileSync(path, 'utf8')) {
  const problems = [];
  const text = (name, fallback) => {
    const value = env[name] ?? fallback;
    if (value === undefined || value === '') problems.push(`${name} is missing`);
    return value;
  };
  const number = (name, fallback, min, max) => {
    const value = Number(env[name] ?? fallback);
    if (!Number.isInteger(value) || value < min || value > max) {
      problems.push(`${name} is ${JSON.stringify(env[name])}, allowed: a whole number from ${min} to ${max}`);
    }
    return value;
  };
  const file = (name) => {
    const path = text(name);
    if (!path) return '';
    try {
      const content = read(path).trim();
      if (!content) problems.push(`${name}: ${path} is empty`);
      return content;
    } catch (error) {
      problems.push(`${name}: cannot read ${path} (${error.code ?? error.message})`);
      return '';
    }
  };
  const url = (name, protocol) => {
    const value = text(name);
    if (!value) return value;
    try {
      const parsed = new URL(value);
      if (parsed.protocol !== protocol) problems.push(`${name} must begin with ${protocol}//`);
      if (parsed.password || parsed.username) problems.push(`${name} must not hold a password; it belongs in a file`);
    } catch {
      problems.push(`${name} is no URL`);
    }
    return value;
  };
  for (const [name, instead] of Object.entries(SECRETS)) {
    if (env[name] !== undefined) problems.push(`${name}: a secret in the environment is refused; set ${instead}`);
  }
  const found = {
    environment: text('NODE_ENV', 'production'),
    host: text('HOST', '0.0.0.0'),
    port: number('PORT', 3000, 1, 65535),
    mysql: {
      host: text('MYSQL_HOST'),
      port: number('MYSQL_PORT', 3306, 1, 65535),
      database: text('MYSQL_DATABASE'),
      user: text('MYSQL_USER'),
      password: file('MYSQL_PASSWORD_FILE'),
      ca: file('MYSQL_CA_FILE'),
      connections: number('MYSQL_CONNECTIONS', 10, 1, 200),
    },
    redis: { url: url('REDIS_URL', 'redis:'), password: file('REDIS_PASSWORD_FILE') },
    tts: { url: url('TTS_PROXY_URL', 'http:'), seconds: number('TTS_TIMEOUT', 90, 1, 600) },
    uploads: text('UPLOADS', '/app/uploads'),
    temp: text('TEMP', '/app/temp'),
    logs: text('LOGS', '/app/logs'),
    logBytes: number('LOG_MAX_BYTES', 10 * 2 ** 20, 1, 2 ** 31),
    logLevel: text('LOG_LEVEL', 'info'),
    uploadBytes: number('UPLOAD_MAX_BYTES', 32 * 2 ** 20, 1024, 2 ** 30),
    lease: number('JOB_LEASE', 15, 1, 3600),
    attempts: number('JOB_ATTEMPTS', 5, 1, 100),
    jobSeconds: number('JOB_SECONDS', 600, 1, 86400),
    sessionSeconds: number('SESSION_SECONDS', 7 * 86400, 60, 365 * 86400),
    drain: number('DRAIN', 1, 0, 600),
    stopGrace: number('STOP_GRACE', 15, 0, 600),
  };
  if (problems.length) throw new SettingsError(problems.join('\n'));
  return found;
}
