/** Prometheus metrics. */

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export class Meter {
  constructor() {
    this.registry = new Registry();
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'tts_requests_total', help: 'Requests for speech by what became of them', labelNames: ['provider', 'outcome'], registers,
    });
    this.attempts = new Counter({
      name: 'tts_upstream_attempts_total', help: 'Attempts at cloud APIs by what became of them', labelNames: ['provider', 'outcome'], registers,
    });
    this.seconds = new Histogram({
      name: 'tts_request_seconds', help: 'Time until the last byte', labelNames: ['outcome'], buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120], registers,
    });
    this.bytes = new Counter({ name: 'tts_audio_bytes_total', help: 'Audio sent', labelNames: ['provider'], registers });
  }

  /** Gauges that are read from the providers when asked. */
  watch(providers) {
    const gauge = (name, help, read) => new Gauge({
      name, help, labelNames: ['provider'], registers: [this.registry],
      collect() { for (const provider of providers.values()) this.set({ provider: provider.name }, read(provider.state())); },
    });
    gauge('tts_circuit_open', '1 while the provider is left alone', ({ circuit }) => Number(circuit !== 'closed'));
    gauge('tts_running', 'Requests at the provider', ({ running }) => running);
    gauge('tts_waiting', 'Requests that wait for a place', ({ waiting }) => waiting);
  }

  attempt(provider, outcome) {
    this.attempts.inc({ provider, outcome });
  }

  request(provider, outcome, ms) {
    this.requests.inc({ provider, outcome });
    this.seconds.observe({ outcome }, ms / 1000);
  }
}
