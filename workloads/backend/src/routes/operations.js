/** For those who run it: health and metrics. The edge does not publish them. */
/** On a busy host a dependency that is slow has not failed; `./berth up` and probes wait 5 s and more. */
const TIMEOUT_MS = 4000;

/** @param {import('fastify').FastifyInstance} app */
export async function operations(app, { store, redis, queue, metrics, state }) {
  app.get('/health', { logLevel: 'warn' }, async (_request, reply) => {
    const checks = Object.fromEntries(
      await Promise.all([check('database', store.ping()), check('redis', redis.ping())]),
    );
    const well = Object.values(checks).every((found) => found === 'ok');
    const status = state.draining ? 'draining' : well ? 'ok' : 'unhealthy';
    return reply.code(status === 'ok' ? 200 : 503).send({ status, checks });
  });

  app.get('/metrics', { logLevel: 'warn' }, async (_request, reply) => {
    metrics.queued.set(await queue.length());
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
}

async function check(name, asked) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, TIMEOUT_MS, `no answer within ${TIMEOUT_MS} ms`)));
  const found = await Promise.race([asked.then(() => 'ok', (error) => error.code ?? error.message), late]);
  clearTimeout(timer);
  return [name, found];
}
