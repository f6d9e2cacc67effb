/** The WebSocket: first the user's open jobs, then every change; the open jobs again when one may have been missed. Nothing is read from it. */
const PING_MS = 25_000;
const AGAIN_MS = 1000;

/** @param {import('fastify').FastifyInstance} app */
export async function progress(app, { store, sessions, events, metrics }) {
  app.get('/ws', { websocket: true, preValidation: async (request) => void (request.user = await sessions.user(request)) }, (socket, request) => {
    const { id } = request.user;
    let alive = true;
    socket.on('pong', () => (alive = true));
    socket.on('error', (error) => request.log.info({ reason: error.message }, 'websocket'));
    metrics.sockets.inc();
    const ping = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      socket.ping();
    }, PING_MS);
    socket.on('close', () => {
      clearInterval(ping);
      metrics.sockets.dec();
    });
    const fail = (error) => {
      request.log.warn({ reason: error.message }, 'websocket');
      socket.close(1011, 'try again');
    };
    const tell = async () => socket.send(JSON.stringify({ type: 'jobs', jobs: await store.open(id) }));
    // Redis and the database may have been away together: told once the database is back, too.
    const again = () =>
      tell().catch((error) => {
        request.log.warn({ reason: error.message }, 'websocket');
        if (socket.readyState === socket.OPEN) setTimeout(again, AGAIN_MS).unref();
      });
    // Joined first: a change between the two is told twice rather than not at all.
    events
      .join(id, socket, again)
      .then(tell)
      .catch(fail);
  });
}
