/** `trainer-migrate`: brings the database to the image's schema and ends. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { open } from './database.js';
import { logger, fail } from './log.js';
import { deploy, resolve } from './migrations.js';
import { move, mustBeOpen, reopen } from './move.js';
import { migrationSettings } from './settings.js';

const USAGE = 'usage: trainer-migrate [deploy | resolve --applied NAME | resolve --rolled-back NAME | reopen FILE]';

async function reopenFile(path) {
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const db = open({ kind: 'sqlite', path });
  try {
    await reopen(db);
  } finally {
    await db.close();
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { applied: { type: 'string' }, 'rolled-back': { type: 'string' } },
  });
  const [verb = 'deploy', ...more] = positionals;
  const chosen = Object.entries(values);
  if (verb === 'reopen' && more.length === 1 && !chosen.length) return reopenFile(more[0]);
  if (more.length || !['deploy', 'resolve'].includes(verb) || chosen.length !== (verb === 'resolve' ? 1 : 0)) throw new Error(USAGE);
  const settings = migrationSettings();
  const log = logger();
  const db = open(settings.database, log);
  try {
    if (verb === 'resolve') {
      const [[how, name]] = chosen;
      await resolve(db, name, how);
      log.info({ migration: name, how }, 'recorded');
    } else {
      if (db.kind === 'sqlite') await mustBeOpen(db);
      const applied = await deploy(db, settings.migrations, log);
      if (db.kind === 'postgresql' && settings.moveFrom) await move(settings.moveFrom, db, settings.migrations, log);
      log.info({ applied, database: db.kind }, 'the schema is up to date');
    }
  } finally {
    await db.close();
  }
}

main().catch(fail);
