/** What Prometheus reads. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    requests: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time of a request, by route',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10],
      registers,
    }),
    jobs: new Counter({ name: 'jobs_total', help: 'Edits, by outcome', labelNames: ['outcome'], registers }),
    jobSeconds: new Histogram({
      name: 'job_duration_seconds',
      help: 'Time of an attempt at an edit',
      buckets: [0.1, 0.5, 2, 10, 60, 300],
      registers,
    }),
    queued: new Gauge({ name: 'jobs_unfinished', help: 'Edits in the queue, running ones too', registers }),
    sockets: new Gauge({ name: 'websockets', help: 'Open WebSockets of this replica', registers }),
  };
}
