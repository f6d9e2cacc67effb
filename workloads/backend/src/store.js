/** What the database holds, as the API shows it. Everything is asked for by its owner. */
import { randomUUID } from 'node:crypto';
import { notFound } from './errors.js';

const JOB = `id, project_id AS project, source_id AS source, operations, status, percent, step, error_code, error_message,
  result_id AS result, created_at AS createdAt, finished_at AS finishedAt`;
const FILE = 'id, project_id AS project, name, kind, bytes, sample_rate AS sampleRate, channels, seconds, created_at AS createdAt';

/** A job as clients see it. */
function shown({ operations, error_code: code, error_message: message, ...job }) {
  return { ...job, operations: JSON.parse(operations), error: code ? { code, message } : null };
}

export class Store {
  /** @param {import('mysql2/promise').Pool} pool */
  constructor(pool) {
    this.pool = pool;
  }

  async #rows(sql, values = []) {
    return (await this.pool.execute(sql, values))[0];
  }

  async #one(what, sql, values) {
    const [row] = await this.#rows(sql, values);
    if (!row) throw notFound(what);
    return row;
  }

  async ping() {
    await this.pool.query({ sql: 'SELECT 1', timeout: 4000 });
  }

  /** @returns the new user, or undefined when the name is taken */
  async addUser(name, password) {
    const user = { id: randomUUID(), name };
    try {
      await this.#rows('INSERT INTO users VALUES (?, ?, ?, ?)', [user.id, name, password, new Date()]);
      return user;
    } catch (error) {
      if (error.code === 'ER_DUP_ENTRY') return undefined;
      throw error;
    }
  }

  async userByName(name) {
    return (await this.#rows('SELECT id, name, password FROM users WHERE name = ?', [name]))[0];
  }

  projects(user) {
    return this.#rows(
      'SELECT id, name, created_at AS createdAt FROM projects WHERE user_id = ? ORDER BY created_at DESC LIMIT 500',
      [user],
    );
  }

  async addProject(user, name) {
    const project = { id: randomUUID(), name, createdAt: new Date() };
    await this.#rows('INSERT INTO projects VALUES (?, ?, ?, ?)', [project.id, user, name, project.createdAt]);
    return project;
  }

  project(user, id) {
    return this.#one('project', 'SELECT id, name, created_at AS createdAt FROM projects WHERE user_id = ? AND id = ?', [
      user,
      id,
    ]);
  }

  async removeProject(user, id) {
    await this.project(user, id);
    const files = await this.files(id);
    await this.#rows('DELETE FROM projects WHERE user_id = ? AND id = ?', [user, id]);
    return files;
  }

  files(project) {
    return this.#rows(`SELECT ${FILE} FROM files WHERE project_id = ? ORDER BY created_at DESC`, [project]);
  }

  file(user, id) {
    return this.#one(
      'file',
      `SELECT ${FILE} FROM files WHERE id = ? AND project_id IN (SELECT id FROM projects WHERE user_id = ?)`,
      [id, user],
    );
  }

  async addFile(file, connection = this.pool) {
    const { id, project, name, kind, bytes, sampleRate, channels, seconds } = file;
    const values = [id, project, name, kind, bytes, sampleRate, channels, seconds, new Date()];
    await connection.execute('INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', values);
  }

  async jobs(project) {
    const rows = await this.#rows(
      `SELECT ${JOB} FROM jobs WHERE project_id = ? ORDER BY created_at DESC LIMIT 100`,
      [project],
    );
    return rows.map(shown);
  }

  async job(user, id) {
    return shown(await this.#one('job', `SELECT ${JOB} FROM jobs WHERE user_id = ? AND id = ?`, [user, id]));
  }

  /** The jobs of a user that are not finished. */
  async open(user) {
    const rows = await this.#rows(
      `SELECT ${JOB} FROM jobs WHERE user_id = ? AND status IN ('queued', 'running') ORDER BY created_at`,
      [user],
    );
    return rows.map(shown);
  }

  async addJob(user, project, source, operations) {
    const id = randomUUID();
    await this.#rows(
      'INSERT INTO jobs (id, project_id, user_id, source_id, operations, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      [id, project, user, source, JSON.stringify(operations), new Date()],
    );
    return this.job(user, id);
  }

  /** Jobs that nobody finished and that are older than `seconds`. */
  async unfinished(seconds) {
    const before = new Date(Date.now() - seconds * 1000);
    const rows = await this.#rows(
      "SELECT id FROM jobs WHERE status IN ('queued', 'running') AND created_at < ? ORDER BY created_at LIMIT 10000",
      [before],
    );
    return rows.map((row) => row.id);
  }

  /**
   * Makes a job this claim's own; an earlier claim can change it no more.
   * @returns the job with its owner and the number of attempts, or undefined when it is finished or gone
   */
  async claim(id, claim) {
    const taken = await this.#rows(
      `UPDATE jobs SET status = 'running', claim = ?, attempts = attempts + 1, percent = 0, step = 'started'
        WHERE id = ? AND status IN ('queued', 'running')`,
      [claim, id],
    );
    if (!taken.affectedRows) return undefined;
    const [row] = await this.#rows(`SELECT ${JOB}, user_id AS user, attempts FROM jobs WHERE id = ? AND claim = ?`, [
      id,
      claim,
    ]);
    return row && shown(row);
  }

  /** @returns {Promise<boolean>} false when the claim is lost */
  async progress(id, claim, percent, step) {
    const done = await this.#rows("UPDATE jobs SET percent = ?, step = ? WHERE id = ? AND claim = ? AND status = 'running'", [
      percent,
      step,
      id,
      claim,
    ]);
    return done.affectedRows > 0;
  }

  /** @param {boolean} counts whether this attempt counts towards the limit */
  async giveBack(id, claim, counts) {
    const done = await this.#rows(
      `UPDATE jobs SET status = 'queued', claim = NULL, attempts = attempts - ?, percent = 0, step = 'waiting'
        WHERE id = ? AND claim = ? AND status = 'running'`,
      [counts ? 0 : 1, id, claim],
    );
    return done.affectedRows > 0;
  }

  async fail(id, claim, code, message) {
    const done = await this.#rows(
      `UPDATE jobs SET status = 'failed', step = 'failed', error_code = ?, error_message = ?, finished_at = ?
        WHERE id = ? AND claim = ? AND status = 'running'`,
      [code, message.slice(0, 500), new Date(), id, claim],
    );
    return done.affectedRows > 0;
  }

  /** The result's file and the job's end are one: both are there, or neither. */
  async finish(id, claim, file) {
    const connection = await this.pool.getConnection();
    try {
      await connection.beginTransaction();
      const [done] = await connection.execute(
        `UPDATE jobs SET status = 'done', percent = 100, step = 'done', result_id = ?, finished_at = ?
          WHERE id = ? AND claim = ? AND status = 'running'`,
        [file.id, new Date(), id, claim],
      );
      if (done.affectedRows) await this.addFile(file, connection);
      await connection.commit();
      return done.affectedRows > 0;
    } catch (error) {
      await connection.rollback().catch(() => connection.destroy());
      throw error;
    } finally {
      connection.release();
    }
  }
}
