/** Starts the proxy; ends it on SIGTERM when what runs is done. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { buildAdmin } from './admin.js';
import { buildApi } from './api.js';
import { Meter } from './metrics.js';
import { Provider } from './provider.js';
import { CosyVoice } from './providers/cosyvoice.js';
import { GptSovits } from './providers/gpt-sovits.js';
import { BadSettings, readSettings } from './settings.js';

function settingsOrExit() {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (!(error instanceof BadSettings)) throw error;
    for (const line of error.message.split('\n')) console.error(JSON.stringify({ level: 'error', msg: `settings: ${line}` }));
    process.exit(2);
  }
}

const settings = settingsOrExit();
const state = { draining: false };
const meter = new Meter();
const { maxTimeoutMs } = settings;
const agent = new Agent({ connect: { timeout: 5000 }, headersTimeout: maxTimeoutMs, bodyTimeout: maxTimeoutMs, keepAliveTimeout: 4000 });
const adapters = [
  settings.cosyvoice && new CosyVoice(settings.cosyvoice, agent),
  settings.gptSovits && new GptSovits(settings.gptSovits, agent),
].filter(Boolean);
const providers = new Map(adapters.map((adapter) => [adapter.name, new Provider(adapter, settings.limits, meter)]));
meter.watch(providers);

const formatters = { level: (label) => ({ level: label }) };
const api = buildApi({ settings, providers, meter, state, logger: { level: 'info', base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters } });
const admin = buildAdmin({ providers, meter, state });

async function stop(signal) {
  if (state.draining) return;
  state.draining = true;
  api.log.info({ signal }, 'draining');
  // Whoever balances over us sees /health and goes elsewhere before the port closes.
  await sleep(settings.drainMs);
  const over = sleep(settings.stopGraceMs, 'over', { ref: false });
  const closed = api.close().then(() => 'closed');
  const how = await Promise.race([closed, over]);
  await admin.close();
  api.log[how === 'closed' ? 'info' : 'error']({ unfinished: how === 'over' }, 'stopped');
  process.exit(how === 'closed' ? 0 : 1);
}
process.once('SIGTERM', stop);
process.once('SIGINT', stop);

await admin.listen({ host: '0.0.0.0', port: settings.adminPort });
await api.listen({ host: '0.0.0.0', port: settings.port });
for (const { name, url } of adapters) {
  api.log.info({ provider: name, url: url.href }, 'speaks through');
  if (url.protocol === 'http:') api.log.warn({ provider: name, host: url.host }, 'the key goes over plain HTTP: only for a stand-in on the same network');
}
