import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

/** The dev server stands behind the edge, which may speak TLS on another port than this one. */
const { HMR_PATH = '/hmr', HMR_CLIENT_PORT, HMR_PROTOCOL, ALLOWED_HOSTS = '', BACKEND_URL, CACHE_DIR = '/tmp/vite' } = process.env;

const health = {
  name: 'health',
  configureServer({ middlewares }) {
    middlewares.use('/health', (_request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end('{"status":"ok"}');
    });
  },
};

export default defineConfig({
  plugins: [vue(), health],
  cacheDir: CACHE_DIR,
  server: {
    host: '0.0.0.0',
    port: 5173,
    strictPort: true,
    // Names that a browser may use; without any, only localhost and addresses. "all" trusts whoever can reach it.
    allowedHosts: ALLOWED_HOSTS === 'all' ? true : ALLOWED_HOSTS.split(',').filter(Boolean),
    hmr: {
      path: HMR_PATH,
      ...(HMR_CLIENT_PORT && { clientPort: Number(HMR_CLIENT_PORT) }),
      ...(HMR_PROTOCOL && { protocol: HMR_PROTOCOL }),
    },
    // Without an edge in front, the dev server hands the API on by itself.
    proxy: BACKEND_URL && {
      '/api': { target: BACKEND_URL },
      '/ws': { target: BACKEND_URL, ws: true },
    },
  },
  build: { target: 'es2022', modulePreload: { polyfill: false } },
});
