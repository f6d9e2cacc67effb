/** The process's settings, read from environment and files once; all that is wrong is told together, secrets never. */
import { readFileSync } from 'node:fs';

export class SettingsError extends Error {}

const SECRETS = ['JWT_SECRET', 'ADMIN_PASSWORD', 'CEREBRAS_API_KEY', 'DATABASE_PASSWORD', 'REDIS_PASSWORD'];
const SECRET_BYTES = 32;

class Reader {
  constructor(env, read) {
    Object.assign(this, { env, read, problems: [] });
    for (const name of SECRETS) {
      if (env[name] !== undefined) this.problems.push(`${name}: a secret in the environment is refused; set ${name}_FILE`);
    }
  }

  text(name, fallback) {
    const value = this.env[name] || fallback;
    if (value === undefined) this.problems.push(`${name} is missing`);
    return value;
  }

  number(name, fallback, min, max) {
    const value = Number(this.env[name] || fallback);
    if (!Number.isInteger(value) || value < min || value > max) {
      this.problems.push(`${name} is ${JSON.stringify(this.env[name])}, allowed: a whole number from ${min} to ${max}`);
    }
    return value;
  }

  secret(name) {
    const path = this.text(`${name}_FILE`);
    if (!path) return '';
    try {
      const content = this.read(path).trim();
      if (!content) this.problems.push(`${name}_FILE: ${path} is empty`);
      return content;
    } catch (error) {
      this.problems.push(`${name}_FILE: cannot read ${path} (${error.code ?? error.message})`);
      return '';
    }
  }

  choice(name, fallback, allowed) {
    const value = this.text(name, fallback);
    if (!allowed.includes(value)) this.problems.push(`${name} is ${JSON.stringify(value)}, allowed: ${allowed.join(', ')}`);
    return value;
  }

  /** `file:/app/data/trainer.db`, or postgresql:// without a password. */
  database() {
    const text = this.text('DATABASE_URL', 'file:/app/data/trainer.db');
    if (/^file:\/[^?#]+$/.test(text)) return { kind: 'sqlite', path: text.slice('file:'.length) };
    if (!URL.canParse(text) || !/^postgres(ql)?:$/.test(new URL(text).protocol)) {
      this.problems.push('DATABASE_URL, allowed: file:/absolute/path.db or postgresql://user@host:5432/database');
      return { kind: 'none' };
    }
    const url = new URL(text);
    if (url.password) this.problems.push('DATABASE_URL must not hold a password; it belongs in DATABASE_PASSWORD_FILE');
    const mode = url.searchParams.get('sslmode') ?? 'disable';
    const found = {
      kind: 'postgresql', host: url.hostname, port: Number(url.port || 5432), user: decodeURIComponent(url.username),
      database: decodeURIComponent(url.pathname.slice(1)), password: this.secret('DATABASE_PASSWORD'),
    };
    if (mode === 'verify-full') {
      const authority = url.searchParams.get('sslrootcert');
      try {
        found.authority = this.read(authority);
      } catch (error) {
        this.problems.push(`DATABASE_URL: sslrootcert ${authority} cannot be read (${error.code ?? error.message})`);
      }
    } else if (mode !== 'disable') this.problems.push(`DATABASE_URL: sslmode=${mode}, allowed: verify-full, disable`);
    return found;
  }

  jwt() {
    const secret = this.secret('JWT_SECRET');
    if (secret && Buffer.byteLength(secret) < SECRET_BYTES) {
      this.problems.push(`JWT_SECRET_FILE: ${Buffer.byteLength(secret)} bytes, allowed: ${SECRET_BYTES} or more, as \`openssl rand -hex 32\` makes them`);
    }
    return secret;
  }

  done(found) {
    if (this.problems.length) throw new SettingsError(this.problems.join('\n'));
    return found;
  }
}

const plain = (path) => readFileSync(path, 'utf8');

/** What a migration needs. */
export function migrationSettings(env = process.env, read = plain) {
  const from = new Reader(env, read);
  const migrations = from.text('MIGRATIONS', '/app/prisma/migrations');
  // The SQLite file whose data PostgreSQL takes over, if it is there.
  return from.done({ database: from.database(), migrations, moveFrom: env.MOVE_FROM });
}

/** What the administration needs. */
export function adminSettings(env = process.env, read = plain) {
  const from = new Reader(env, read);
  return from.done({
    port: from.number('PORT', 3005, 1, 65535), database: from.database(), jwtSecret: from.jwt(),
    admin: { email: from.text('ADMIN_EMAIL'), password: from.secret('ADMIN_PASSWORD') },
  });
}

/** What the application needs. */
export function appSettings(env = process.env, read = plain) {
  const from = new Reader(env, read);
  const cerebras = env.CEREBRAS_API_URL
    ? { url: env.CEREBRAS_API_URL.replace(/\/$/, ''), model: from.text('CEREBRAS_MODEL', 'llama-3.3-70b'), key: from.secret('CEREBRAS_API_KEY') }
    : undefined;
  return from.done({
    port: from.number('PORT', 3000, 1, 65535),
    database: from.database(),
    migrations: from.text('MIGRATIONS', '/app/prisma/migrations'),
    jwtSecret: from.jwt(),
    cerebras,
    redis: env.REDIS_URL ? { url: env.REDIS_URL, password: from.secret('REDIS_PASSWORD') } : undefined,
    audio: { folder: from.text('AUDIO', '/app/public/audio'), bytes: from.number('AUDIO_MAX_BYTES', 2 ** 30, 1, 2 ** 40) },
    tts: {
      device: from.choice('KOKORO_DEVICE', 'cpu', ['cpu', 'cuda']),
      concurrency: from.number('KOKORO_TTS_MAX_CONCURRENCY', 4, 1, 64),
      queue: from.number('TTS_QUEUE', 32, 0, 10000),
      timeoutMs: from.number('TTS_TIMEOUT_MS', 115000, 100, 600000),
      venv: from.text('KOKORO_VENV', '/app/kokoro-local/venv'),
      worker: from.text('KOKORO_WORKER', '/app/kokoro-local/speak.py'),
      models: from.text('KOKORO_MODELS', '/app/kokoro-models'),
      maxText: from.number('TTS_MAX_TEXT', 5000, 1, 20000),
    },
    drainMs: from.number('DRAIN_MS', 0, 0, 60000),
  });
}
