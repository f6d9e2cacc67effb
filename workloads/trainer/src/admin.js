/** `trainer-admin`: the administration, a server of its own; only /admin and what is below it is answered. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from './database.js';
import { Refusal } from './errors.js';
import { only, sign } from './jwt.js';
import { fail, logger } from './log.js';
import { endInPeace, server } from './server.js';
import { adminSettings } from './settings.js';

const PAGE = readFileSync(new URL('../public/admin.html', import.meta.url));
const LOGIN = {
  body: {
    type: 'object', additionalProperties: false, required: ['email', 'password'],
    properties: { email: { type: 'string', maxLength: 254 }, password: { type: 'string', maxLength: 500 } },
  },
};

/** Whether two texts are the same, in a time that tells nothing of them. */
function same(one, other) {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a, b);
}

/** @param {Record<string, any>} parts */
export function buildAdmin({ settings, log, state, db }) {
  const app = server({ log, state, quiet: ['/admin/api/health'] });
  const admin = { preHandler: only('admin', settings.jwtSecret) };
  app.get('/', async (_request, reply) => reply.redirect('/admin'));
  app.get('/admin', async (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE));
  app.get('/admin/api/health', async (_request, reply) => {
    if (state.draining) reply.code(503);
    return { status: state.draining ? 'draining' : 'ok', database: await db.state() };
  });
  app.post('/admin/api/login', { schema: LOGIN }, async (request) => {
    const { email, password } = request.body;
    const known = same(email.toLowerCase(), settings.admin.email.toLowerCase());
    if (!same(password, settings.admin.password) || !known) {
      request.log.warn({ ip: request.ip }, 'a login to the administration was refused');
      throw new Refusal(401, 'unauthorized', 'address or password is wrong');
    }
    return { token: sign({ sub: 'admin', role: 'admin' }, settings.jwtSecret) };
  });
  app.get('/admin/api/users', admin, async () => ({
    users: await db.all(
      `SELECT users.id, users.email, users.created_at, COUNT(practice.id) AS practice FROM users
       LEFT JOIN practice ON practice.user_id = users.id
       GROUP BY users.id, users.email, users.created_at ORDER BY users.created_at DESC LIMIT 1000`,
    ),
  }));
  app.delete('/admin/api/users/:id', admin, async (request, reply) => {
    if (!(await db.run('DELETE FROM users WHERE id = ?', request.params.id))) throw new Refusal(404, 'not_found', 'no such user');
    reply.code(204);
  });
  return app;
}

async function start() {
  const settings = adminSettings();
  const log = logger();
  const state = { draining: false };
  const db = open(settings.database, log);
  const app = buildAdmin({ settings, log, state, db });
  endInPeace(app, { log, state, after: () => db.close() });
  await app.listen({ host: '0.0.0.0', port: settings.port });
}

if (process.argv[1] === new URL(import.meta.url).pathname) start().catch(fail);
