/** Register, log in, log out, who am I. */
import { Refusal } from '../errors.js';
import { hash, matches } from '../passwords.js';
import * as schemas from '../schemas.js';

/** @param {import('fastify').FastifyInstance} app */
export async function accounts(app, { store, sessions }) {
  app.post('/register', { schema: { body: schemas.account } }, async (request, reply) => {
    const { name, password } = request.body;
    await sessions.attempt(name, request.ip);
    const user = await store.addUser(name, await hash(password));
    if (!user) throw new Refusal(409, 'name_taken', 'this name is taken');
    await sessions.open(user, request, reply);
    return reply.code(201).send(user);
  });

  app.post('/login', { schema: { body: schemas.login } }, async (request, reply) => {
    const { name, password } = request.body;
    await sessions.attempt(name, request.ip);
    const found = await store.userByName(name);
    if (!(await matches(password, found?.password))) throw new Refusal(401, 'wrong_login', 'wrong name or password');
    const user = { id: found.id, name: found.name };
    await sessions.open(user, request, reply);
    return user;
  });

  app.post('/logout', async (request, reply) => {
    await sessions.close(request, reply);
    return reply.code(204).send();
  });

  app.get('/me', (request) => sessions.user(request));
}
