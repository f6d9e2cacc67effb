/** Serves the built page: hashed assets for ever, the page itself always fresh, /health for the edge. */
import { createServer } from 'node:http';
import sirv from 'sirv';

/** Longer than the edge keeps an idle connection: the edge closes first, never under a request. */
const KEEP_ALIVE_MS = 75_000;
const SWEEP_MS = 200;
const ASSETS = '/assets/';

/**
 * @param {string} folder the built page
 * @param {{draining: boolean}} state
 */
export function handler(folder, state) {
  const files = sirv(folder, {
    gzip: true,
    brotli: true,
    etag: true,
    // An asset that is not there is one of another version: the page in its place would be run as a script.
    single: true,
    ignores: [/^\/assets\//],
    setHeaders(response, path) {
      const forever = path.startsWith(ASSETS) && !path.endsWith('.html');
      response.setHeader('Cache-Control', forever ? 'public, max-age=31536000, immutable' : 'no-cache');
      response.setHeader('X-Content-Type-Options', 'nosniff');
    },
  });
  return (request, response) => {
    if (state.draining) response.setHeader('Connection', 'close');
    if (request.url === '/health') return health(response, state);
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD');
    return files(request, response, () => refuse(response, 404, 'no such file'));
  };
}

function health(response, { draining }) {
  response.writeHead(draining ? 503 : 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify({ status: draining ? 'draining' : 'ok' }));
}

function refuse(response, status, message) {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' });
  response.end(`${message}\n`);
}

function seconds(name, fallback) {
  const value = Number(process.env[name] ?? fallback);
  if (!(value >= 0 && value <= 600)) throw new Error(`${name} is ${process.env[name]}, allowed: 0 to 600 seconds`);
  return value;
}

/** Answers until SIGTERM, then for `DRAIN` seconds more, then what is in flight. */
export function start({ folder, port, drain }) {
  const state = { draining: false };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handler(folder, state));
  const log = (msg, more) => console.log(JSON.stringify({ level: 'info', time: new Date().toISOString(), msg, ...more }));
  server.listen(port, '0.0.0.0', () => log('listening', { port }));
  const stop = (signal) => {
    if (state.draining) return;
    state.draining = true;
    log('draining', { signal });
    setTimeout(() => {
      server.close(() => log('stopped'));
      // One that was busy may become idle later; nobody would close it for a minute.
      setInterval(() => server.closeIdleConnections(), SWEEP_MS).unref();
    }, drain * 1000);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
  return server;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { PORT = '5173' } = process.env;
  start({ folder: new URL('../dist', import.meta.url).pathname, port: Number(PORT), drain: seconds('DRAIN', 1) });
}
