/** From SQLite to PostgreSQL with all data: the file is closed to writers first, and copied in one transaction then. */
import { existsSync } from 'node:fs';
import { open } from './database.js';
import { deploy, MigrationError } from './migrations.js';

/** Those that others refer to come first. */
const TABLES = ['users', 'practice'];
const ROWS = 500;
const NOTE = 'these data were moved to PostgreSQL';
const DOORS = TABLES.flatMap((table) => ['INSERT', 'UPDATE', 'DELETE'].map((act) => [`moved_${table}_${act.toLowerCase()}`, act, table]));

/** Whether the file takes no writes any more. */
export async function isClosed(sqlite) {
  return (await sqlite.all("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?", DOORS[0][0])).length > 0;
}

/** Takes writes again, with the data of the moment when it was closed. */
export async function reopen(sqlite) {
  await sqlite.script(DOORS.map(([name]) => `DROP TRIGGER IF EXISTS ${name};`).join('\n'), () => {});
}

const close = (sqlite) =>
  sqlite.script(DOORS.map(([name, act, table]) => `CREATE TRIGGER ${name} BEFORE ${act} ON ${table} BEGIN SELECT RAISE(ABORT, '${NOTE}'); END;`).join('\n'), () => {});

async function count(db) {
  let found = 0;
  for (const table of TABLES) found += Number((await db.all(`SELECT COUNT(*) AS n FROM ${table}`))[0].n);
  return found;
}

const isDone = async (sqlite, postgres) =>
  (await isClosed(sqlite)) && ((await count(postgres)) > 0 || (await count(sqlite)) === 0);

async function copy(sqlite, postgres) {
  for (const table of TABLES) {
    for (let last = ''; ;) {
      const rows = await sqlite.all(`SELECT * FROM ${table} WHERE id > ? ORDER BY id LIMIT ${ROWS}`, last);
      if (!rows.length) break;
      const columns = Object.keys(rows[0]);
      const row = `(${columns.map(() => '?').join(', ')})`;
      await postgres.run(
        `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${rows.map(() => row).join(', ')}`,
        ...rows.flatMap((one) => columns.map((column) => one[column])),
      );
      last = rows.at(-1).id;
    }
  }
}

/**
 * All rows of a file into PostgreSQL, once. Both have the image's schema afterwards. Until the new version serves, the
 * old one reads and cannot write, so that nothing is lost. Throws MigrationError where both have data.
 */
export async function move(path, postgres, migrations, log) {
  if (!existsSync(path)) return;
  const sqlite = open({ kind: 'sqlite', path });
  try {
    if (await isDone(sqlite, postgres)) return;
    await deploy(sqlite, migrations, log);
    const known = (await sqlite.all("SELECT name FROM sqlite_master WHERE type = 'table'")).map(({ name }) => name);
    const strange = known.filter((name) => ![...TABLES, '_prisma_migrations'].includes(name) && !name.startsWith('sqlite_'));
    if (strange.length) throw new MigrationError(`${path} has tables that cannot be moved: ${strange.join(', ')}`, 'move or drop them by hand');
    await postgres.alone(async (session) => {
      if (await isDone(sqlite, session)) return;
      const [there, here] = [await count(session), await count(sqlite)];
      if (there && here) {
        throw new MigrationError(
          `PostgreSQL has ${there} rows and ${path} ${here}; nothing was moved`,
          `keep one: rename ${path}, or empty the tables ${TABLES.join(' and ')} in PostgreSQL`,
        );
      }
      // Also without a row: who registers from now on would be left behind.
      if (!(await isClosed(sqlite))) await close(sqlite);
      try {
        await session.script('SELECT 1', (inside) => copy(sqlite, inside));
      } catch (error) {
        await reopen(sqlite);
        throw new MigrationError(`${path} was not moved to PostgreSQL: ${error.message}`, 'correct it, and up again; SQLite goes on until then');
      }
      log.info({ rows: await count(sqlite), from: path }, 'moved to PostgreSQL');
    });
  } finally {
    await sqlite.close();
  }
}

/** Refuses a file that was moved. */
export async function mustBeOpen(sqlite) {
  if (!(await isClosed(sqlite))) return;
  throw new MigrationError(
    `${NOTE}, and ${sqlite.path} has them as they were then`,
    `use PostgreSQL again, or go back to that moment: trainer-migrate reopen ${sqlite.path}`,
  );
}
