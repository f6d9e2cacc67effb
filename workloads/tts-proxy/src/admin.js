/** The admin port: metrics and the providers' state. Not for callers, never published. */

import Fastify from 'fastify';

export function buildAdmin({ providers, meter, state }) {
  const app = Fastify({ logger: false, forceCloseConnections: true });
  app.get('/metrics', async (request, reply) => {
    reply.type(meter.registry.contentType);
    return meter.registry.metrics();
  });
  app.get('/health', async (request, reply) => {
    if (state.draining) reply.code(503);
    return { status: state.draining ? 'draining' : 'ok' };
  });
  app.get('/admin/providers', async () => Object.fromEntries([...providers.values()].map((provider) => [provider.name, provider.state()])));
  return app;
}
