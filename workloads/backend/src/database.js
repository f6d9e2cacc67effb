/** The pool, over TLS to a server whose name is checked, and the schema. */
import mysql from 'mysql2/promise';

const LOCK_SECONDS = 60;

/** Each is one statement that may run twice: MySQL ends a transaction at each change of a table. */
const MIGRATIONS = [
  `CREATE TABLE IF NOT EXISTS users (
    id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
    name VARCHAR(64) NOT NULL UNIQUE,
    password VARCHAR(255) CHARACTER SET ascii NOT NULL,
    created_at DATETIME(3) NOT NULL
  ) CHARACTER SET utf8mb4`,
  `CREATE TABLE IF NOT EXISTS projects (
    id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
    user_id CHAR(36) CHARACTER SET ascii NOT NULL,
    name VARCHAR(200) NOT NULL,
    created_at DATETIME(3) NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
  ) CHARACTER SET utf8mb4`,
  `CREATE TABLE IF NOT EXISTS files (
    id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
    project_id CHAR(36) CHARACTER SET ascii NOT NULL,
    name VARCHAR(255) NOT NULL,
    kind ENUM('upload', 'result') NOT NULL,
    bytes BIGINT NOT NULL,
    sample_rate INT NOT NULL,
    channels INT NOT NULL,
    seconds DOUBLE NOT NULL,
    created_at DATETIME(3) NOT NULL,
    FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE
  ) CHARACTER SET utf8mb4`,
  `CREATE TABLE IF NOT EXISTS jobs (
    id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
    project_id CHAR(36) CHARACTER SET ascii NOT NULL,
    user_id CHAR(36) CHARACTER SET ascii NOT NULL,
    source_id CHAR(36) CHARACTER SET ascii NULL,
    operations TEXT NOT NULL,
    status ENUM('queued', 'running', 'done', 'failed') NOT NULL DEFAULT 'queued',
    percent INT NOT NULL DEFAULT 0,
    step VARCHAR(64) NOT NULL DEFAULT 'waiting',
    error_code VARCHAR(64) NULL,
    error_message VARCHAR(500) NULL,
    attempts INT NOT NULL DEFAULT 0,
    claim CHAR(36) CHARACTER SET ascii NULL,
    result_id CHAR(36) CHARACTER SET ascii NULL,
    created_at DATETIME(3) NOT NULL,
    finished_at DATETIME(3) NULL,
    INDEX (status, created_at),
    FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE
  ) CHARACTER SET utf8mb4`,
];

/** @param {{host: string, port: number, database: string, user: string, password: string, ca: string, connections: number}} settings */
export function connect({ host, port, database, user, password, ca, connections }) {
  return mysql.createPool({
    host,
    port,
    database,
    user,
    password,
    ssl: { ca, rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' },
    connectionLimit: connections,
    connectTimeout: 5000,
    enableKeepAlive: true,
    // A server that vanished without a goodbye is noticed in seconds, not in two hours.
    keepAliveInitialDelay: 10_000,
    timezone: 'Z',
    charset: 'utf8mb4',
  });
}

/**
 * Brings the schema to the newest version; replicas that start together wait for each other.
 * @param {import('mysql2/promise').Pool} pool
 * @param {import('pino').Logger} log
 */
export async function migrate(pool, log) {
  const connection = await pool.getConnection();
  try {
    const [[{ locked }]] = await connection.query("SELECT GET_LOCK(CONCAT(DATABASE(), '-schema'), ?) AS locked", [
      LOCK_SECONDS,
    ]);
    if (locked !== 1) throw new Error(`another replica has held the schema's lock for ${LOCK_SECONDS} s`);
    await connection.query(
      'CREATE TABLE IF NOT EXISTS migrations (version INT PRIMARY KEY, applied_at DATETIME(3) NOT NULL)',
    );
    const [[{ version }]] = await connection.query('SELECT COALESCE(MAX(version), 0) AS version FROM migrations');
    for (let next = version + 1; next <= MIGRATIONS.length; next++) {
      await connection.query(MIGRATIONS[next - 1]);
      await connection.query('INSERT INTO migrations VALUES (?, ?)', [next, new Date()]);
      log.info({ version: next }, 'schema changed');
    }
  } finally {
    // The lock belongs to the connection: closing it frees the lock whatever happened.
    connection.destroy();
  }
}
