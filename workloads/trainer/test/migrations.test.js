/** Migrations on SQLite files: order, records, failures, and what was interrupted. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, afterEach, test } from 'node:test';
import { open } from '../src/database.js';
import { deploy, pending, resolve } from '../src/migrations.js';

const LOG = { info() {}, warn() {} };
const FIRST = '20250101000000_first';
const SECOND = '20250102000000_second';
let folder;
let db;

function put(name, sql) {
  mkdirSync(path.join(folder, 'm', name), { recursive: true });
  writeFileSync(path.join(folder, 'm', name, 'migration.sql'), sql);
}

const migrate = () => deploy(db, path.join(folder, 'm'), LOG);
const tables = async () => (await db.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")).map(({ name }) => name);

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'trainer-'));
  mkdirSync(path.join(folder, 'm'));
  db = open({ kind: 'sqlite', path: path.join(folder, 'x.db') }, LOG);
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true });
});

test('in their order, each once', async () => {
  put(SECOND, 'INSERT INTO a VALUES (1);');
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  assert.deepEqual(await migrate(), [FIRST, SECOND]);
  assert.deepEqual(await migrate(), []);
  assert.deepEqual(await db.all('SELECT n FROM a'), [{ n: 1 }]);
  assert.deepEqual(await pending(db, path.join(folder, 'm')), []);
  assert.equal((await db.state()).journal, 'wal');
});

test('two at the same time apply each once', async () => {
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  const other = open({ kind: 'sqlite', path: path.join(folder, 'x.db') }, LOG);
  assert.deepEqual([await migrate(), await deploy(other, path.join(folder, 'm'), LOG)], [[FIRST], []]);
  await other.close();
});

test('a failure keeps nothing of itself, is named, and stops until it is resolved', async () => {
  put(FIRST, 'CREATE TABLE a (n INTEGER); INSERT INTO nowhere VALUES (1);');
  await assert.rejects(migrate(), /20250101000000_first failed and nothing of it was kept: no such table: nowhere\nfix: /);
  assert.deepEqual(await tables(), []);
  await assert.rejects(migrate(), /began at .* and did not end; it failed: no such table: nowhere\nfix: .*resolve --rolled-back 20250101000000_first/);
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  await resolve(db, FIRST, 'rolled-back');
  assert.deepEqual(await migrate(), [FIRST]);
});

test('one that was interrupted is found and named', async () => {
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  put(SECOND, 'CREATE TABLE b (n INTEGER);');
  await migrate();
  await db.run('UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = ?', SECOND);
  await assert.rejects(migrate(), /20250102000000_second began at .* and did not end; it was interrupted/);
  await assert.rejects(resolve(db, FIRST, 'applied'), /no migration 20250101000000_first is half done\nfix: name one of these: 20250102000000_second/);
  await resolve(db, SECOND, 'applied');
  assert.deepEqual(await migrate(), []);
});

test('a file that was changed later is refused, one that is unknown is not', async () => {
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  put(SECOND, 'CREATE TABLE b (n INTEGER);');
  await migrate();
  rmSync(path.join(folder, 'm', SECOND), { recursive: true });
  assert.deepEqual(await migrate(), [], 'an older image runs on a newer schema');
  put(FIRST, 'CREATE TABLE a (m INTEGER);');
  await assert.rejects(migrate(), /20250101000000_first was changed after it was applied/);
  put('first', '');
  await assert.rejects(migrate(), /is no migration/);
});

test('what another version began is not the business of the one that runs, and stops what would migrate', async () => {
  put(FIRST, 'CREATE TABLE a (n INTEGER);');
  put(SECOND, 'INSERT INTO nowhere VALUES (1);');
  await assert.rejects(migrate(), /20250102000000_second failed/);
  rmSync(path.join(folder, 'm', SECOND), { recursive: true });
  assert.deepEqual(await pending(db, path.join(folder, 'm')), []);
  await assert.rejects(migrate(), /20250102000000_second began at .* and did not end/);
  put(SECOND, 'CREATE TABLE b (n INTEGER);');
  await assert.rejects(pending(db, path.join(folder, 'm')), /20250102000000_second began at/, 'its own version waits for it');
});
