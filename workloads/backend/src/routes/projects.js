/** Projects, their files, their edits. All of it belongs to the user who is logged in. */
import { randomUUID } from 'node:crypto';
import { describe, peaks } from '../audio/peaks.js';
import { Refusal } from '../errors.js';
import { range } from '../files.js';
import * as schemas from '../schemas.js';

const DAY = 86400;
const VOICES_SECONDS = 60;

/** @param {import('fastify').FastifyInstance} app */
export async function projects(app, { store, sessions, files, queue, speech, cache }) {
  app.decorateRequest('user', null);
  app.addHook('onRequest', async (request) => {
    request.user = await sessions.user(request);
  });
  const one = { schema: { params: schemas.params } };

  app.get('/projects', async ({ user }) => ({ projects: await store.projects(user.id) }));

  app.post('/projects', { schema: { body: schemas.project } }, async ({ user, body }, reply) =>
    reply.code(201).send(await store.addProject(user.id, body.name)),
  );

  app.get('/projects/:id', one, async ({ user, params }) => {
    const project = await store.project(user.id, params.id);
    const [found, jobs] = await Promise.all([store.files(project.id), store.jobs(project.id)]);
    return { ...project, files: found, jobs };
  });

  app.delete('/projects/:id', one, async ({ user, params }, reply) => {
    for (const file of await store.removeProject(user.id, params.id)) await files.remove(file.id);
    return reply.code(204).send();
  });

  app.post('/projects/:id/files', one, async (request, reply) => {
    const project = await store.project(request.user.id, request.params.id);
    const part = await request.file();
    if (part?.fieldname !== 'file') throw new Refusal(400, 'invalid', 'one part called "file" is needed');
    const file = { id: randomUUID(), project: project.id, kind: 'upload', name: part.filename.slice(0, 255) || 'audio.wav' };
    const wav = await files.receive(file.id, part.file, (path) => {
      if (part.file.truncated) throw new app.multipartErrors.RequestFileTooLargeError();
      return describe(path);
    });
    const { sampleRate, channels, frames } = wav;
    Object.assign(file, { sampleRate, channels, seconds: frames / sampleRate, bytes: await files.size(file.id) });
    try {
      await store.addFile(file);
    } catch (error) {
      await files.remove(file.id);
      throw error;
    }
    return reply.code(201).send(await store.file(request.user.id, file.id));
  });

  app.get('/files/:id/audio', one, async (request, reply) =>
    audio(await store.file(request.user.id, request.params.id), request, reply),
  );

  app.get('/files/:id/peaks', { schema: { params: schemas.params, querystring: schemas.points } }, async (request) => {
    const file = await store.file(request.user.id, request.params.id);
    const points = Number(request.query.points ?? 800);
    return { peaks: await cache(`peaks:${file.id}:${points}`, DAY, () => peaks(files.path(file.id), points)) };
  });

  app.post('/projects/:id/jobs', { schema: { params: schemas.params, body: schemas.job } }, async (request, reply) => {
    const { user, params, body } = request;
    const project = await store.project(user.id, params.id);
    const source = body.source ? await store.file(user.id, body.source) : undefined;
    if (source && source.project !== project.id) throw new Refusal(422, 'other_project', 'the file is of another project');
    if (!source && body.operations[0].type !== 'speech') {
      throw new Refusal(422, 'no_audio', 'without a source, the first operation must be speech');
    }
    const job = await store.addJob(user.id, project.id, source?.id ?? null, body.operations);
    // The job is safe in the database: a queue that cannot be reached now is filled up later.
    await queue.add(job.id).catch((error) => request.log.warn({ job: job.id, reason: error.message }, 'not queued yet'));
    return reply.code(202).send(job);
  });

  app.get('/jobs/:id', one, ({ user, params }) => store.job(user.id, params.id));

  app.get('/jobs/:id/result', one, async (request, reply) => {
    const job = await store.job(request.user.id, request.params.id);
    if (job.status === 'failed') throw new Refusal(422, job.error.code, job.error.message);
    if (job.status !== 'done') return reply.code(202).send(job);
    return audio(await store.file(request.user.id, job.result), request, reply);
  });

  app.get('/voices', () => cache('voices', VOICES_SECONDS, () => speech.voices()));

  async function audio(file, request, reply) {
    const wanted = range(request.headers.range, file.bytes);
    reply.headers({
      'content-type': 'audio/wav',
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=3600, immutable',
      'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(file.name)}`,
      etag: `"${file.id}"`,
    });
    if (wanted === null) return reply.code(416).header('content-range', `bytes */${file.bytes}`).send();
    const { start, end } = wanted ?? { start: 0, end: file.bytes - 1 };
    if (wanted) reply.code(206).header('content-range', `bytes ${start}-${end}/${file.bytes}`);
    return reply.header('content-length', end - start + 1).send(files.read(file.id, { start, end }));
  }
}
