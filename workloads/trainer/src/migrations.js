/**
 * Migrations as `prisma migrate deploy` does them: ordered folders, each recorded before and after it is applied, each
 * in one transaction. One that began and did not end stops everything until a person has looked at it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TEXT,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TEXT,
  started_at TEXT NOT NULL,
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;
const NAME = /^[0-9]{14}_[a-z0-9_]+$/;

/** Why nothing can be migrated, and what to do. */
export class MigrationError extends Error {
  constructor(message, fix) {
    super(`${message}\nfix: ${fix}`);
  }
}

/** Those in a folder, in their order. */
export function read(folder) {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return names.sort().map((name) => {
    if (!NAME.test(name)) throw new MigrationError(`${folder}/${name} is no migration`, 'name it like 20250131120000_what_it_does');
    const sql = readFileSync(path.join(folder, name, 'migration.sql'), 'utf8');
    return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

async function recorded(db) {
  return db.all('SELECT * FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name');
}

function examine(known, rows) {
  for (const row of rows) {
    if (!row.finished_at) {
      const cause = row.logs ? `it failed: ${row.logs}` : 'it was interrupted';
      throw new MigrationError(
        `migration ${row.migration_name} began at ${row.started_at} and did not end; ${cause}`,
        `look what of it is in the database, then \`trainer-migrate resolve --rolled-back ${row.migration_name}\` (it is applied anew) or \`--applied ${row.migration_name}\``,
      );
    }
    const file = known.find((migration) => migration.name === row.migration_name);
    if (file && file.checksum !== row.checksum) {
      throw new MigrationError(`migration ${row.migration_name} was changed after it was applied`, 'restore its file; put the change into a new migration');
    }
  }
}

const absent = (rows) => ({ name }) => !rows.some((row) => row.migration_name === name);

/**
 * Names that are not applied yet. Only what this image knows counts: what a newer version began, or failed to do, must
 * not stop the one that runs. Throws MigrationError.
 */
export async function pending(db, folder) {
  const known = read(folder);
  const rows = (await recorded(db)).filter((row) => known.some(({ name }) => name === row.migration_name));
  examine(known, rows);
  return known.filter(absent(rows)).map(({ name }) => name);
}

/** Applies what is missing; the names of what was applied. Throws MigrationError. */
export async function deploy(db, folder, log) {
  return db.alone(async (session) => {
    await session.run(TABLE);
    const known = read(folder);
    const rows = await recorded(session);
    examine(known, rows);
    const missing = known.filter(absent(rows));
    const newer = rows.filter((row) => !known.some(({ name }) => name === row.migration_name));
    if (newer.length) log.warn({ migrations: newer.map((row) => row.migration_name) }, 'the database has migrations that this image does not know');
    for (const { name, sql, checksum } of missing) {
      const id = randomUUID();
      await session.run('INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES (?, ?, ?, ?)', id, checksum, name, new Date().toISOString());
      log.info({ migration: name }, 'begun');
      try {
        await session.script(sql, (inside) =>
          inside.run('UPDATE _prisma_migrations SET finished_at = ?, applied_steps_count = 1 WHERE id = ?', new Date().toISOString(), id));
      } catch (error) {
        await session.run('UPDATE _prisma_migrations SET logs = ? WHERE id = ?', error.message, id);
        throw new MigrationError(
          `migration ${name} failed and nothing of it was kept: ${error.message}`,
          `correct it, then \`trainer-migrate resolve --rolled-back ${name}\` and migrate again`,
        );
      }
      log.info({ migration: name }, 'applied');
    }
    return missing.map(({ name }) => name);
  });
}

/** Records what a person found out about a migration that did not end. how: `applied` or `rolled-back`. */
export async function resolve(db, name, how) {
  return db.alone(async (session) => {
    await session.run(TABLE);
    const rows = await recorded(session);
    const row = rows.find((one) => one.migration_name === name && !one.finished_at);
    if (!row) {
      const open = rows.filter((one) => !one.finished_at).map((one) => one.migration_name).join(', ') || 'none';
      throw new MigrationError(`no migration ${name} is half done`, `name one of these: ${open}`);
    }
    const column = how === 'applied' ? 'finished_at' : 'rolled_back_at';
    await session.run(`UPDATE _prisma_migrations SET ${column} = ? WHERE id = ?`, new Date().toISOString(), row.id);
  });
}
