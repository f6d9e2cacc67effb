/** One way to ask both databases: SQLite in WAL mode on a volume, or PostgreSQL. Parameters are written `?`. */
import { statSync } from 'node:fs';
import Sqlite from 'libsql';
import pg from 'pg';

const BUSY_MS = 10_000;
/** On a busy machine a handshake with TLS takes its time; a server that is not there refuses at once. */
const CONNECT_MS = 30_000;
const POOL = 10;
/** Any number that all migrations agree on. */
const LOCK = 72_707_369;

class SqliteDatabase {
  kind = 'sqlite';

  constructor({ path }) {
    this.path = path;
    this.file = new Sqlite(path, { timeout: BUSY_MS });
    this.file.pragma('journal_mode = WAL');
    this.file.pragma('synchronous = NORMAL');
    this.file.pragma('foreign_keys = ON');
  }

  async all(sql, ...values) {
    return this.file.prepare(sql).all(...values);
  }

  async run(sql, ...values) {
    return this.file.prepare(sql).run(...values).changes;
  }

  /** Statements of a script, all or none, and `after` with them. */
  async script(sql, after) {
    this.file.exec('BEGIN IMMEDIATE');
    try {
      this.file.exec(sql);
      await after(this);
      this.file.exec('COMMIT');
    } catch (error) {
      if (this.file.inTransaction) this.file.exec('ROLLBACK');
      throw error;
    }
  }

  /** Runs `act` while nobody else does: a lock that ends with the process, whatever happens to it. */
  async alone(act) {
    const lock = new Sqlite(`${this.path}.migrating`, { timeout: 60_000 });
    try {
      lock.exec('BEGIN EXCLUSIVE');
      return await act(this);
    } finally {
      lock.close();
    }
  }

  /** What health tells of it. */
  async state() {
    this.file.prepare('SELECT COUNT(*) FROM sqlite_master').get();
    const wal = statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { kind: this.kind, journal: this.file.prepare('PRAGMA journal_mode').get().journal_mode, walBytes: wal };
  }

  async close() {
    this.file.close();
  }
}

/** A pool, or one connection of it. */
class PostgresSession {
  kind = 'postgresql';

  constructor(connection) {
    this.connection = connection;
  }

  async query(sql, values) {
    let count = 0;
    return this.connection.query(sql.replaceAll('?', () => `$${(count += 1)}`), values);
  }

  async all(sql, ...values) {
    return (await this.query(sql, values)).rows;
  }

  async run(sql, ...values) {
    return (await this.query(sql, values)).rowCount;
  }

  async script(sql, after) {
    await this.connection.query('BEGIN');
    try {
      await this.connection.query(sql);
      await after(this);
      await this.connection.query('COMMIT');
    } catch (error) {
      await this.connection.query('ROLLBACK');
      throw error;
    }
  }
}

class PostgresDatabase extends PostgresSession {
  constructor({ authority, kind, ...place }, log) {
    // The server is known by its name and our authority; without one it stands on a network of its own.
    const ssl = authority ? { ca: authority, rejectUnauthorized: true, servername: place.host } : false;
    // A server that vanished without a goodbye is noticed in seconds, not in two hours.
    const alive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };
    const patience = { connectionTimeoutMillis: CONNECT_MS, statement_timeout: 30_000 };
    super(new pg.Pool({ ...place, ssl, max: POOL, ...alive, ...patience }));
    // An idle connection that breaks is replaced by the next query.
    this.connection.on('error', (error) => log?.warn({ reason: error.message }, 'a connection to the database broke'));
  }

  async alone(act) {
    const connection = await this.connection.connect();
    try {
      await connection.query('SET statement_timeout = 0');
      await connection.query(`SELECT pg_advisory_lock(${LOCK})`);
      return await act(new PostgresSession(connection));
    } finally {
      // Closed, not given back: the lock goes with it.
      connection.release(true);
    }
  }

  async state() {
    await this.all('SELECT 1');
    return { kind: this.kind };
  }

  async close() {
    await this.connection.end();
  }
}

/** Opens what DATABASE_URL names. */
export function open(settings, log) {
  return settings.kind === 'sqlite' ? new SqliteDatabase(settings) : new PostgresDatabase(settings, log);
}
