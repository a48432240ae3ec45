import { createServer, type Server } from 'node:http';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { Connections } from './connections';
import type { Database } from './database';
import { METRICS_CONNECTIONS_MAX } from './limits';

/** What the service counts. https://prometheus.io/docs/practices/naming/ */
export class Metrics {
  private readonly registry = new Registry();
  private readonly duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });

  constructor(database: Database | undefined) {
    collectDefaultMetrics({ register: this.registry });
    if (database) {
      new Gauge({
        name: 'database_connections',
        help: 'Connections to the database, and requests that wait for one.',
        labelNames: ['state'],
        registers: [this.registry],
        collect() {
          for (const [state, count] of Object.entries(database.connections())) {
            this.set({ state }, count);
          }
        },
      });
      new Gauge({
        name: 'database_up',
        help: '1 if the database does its work, 0 if it is away.',
        registers: [this.registry],
        async collect() {
          this.set((await database.probe()) === undefined ? 1 : 0);
        },
      });
    }
  }

  /** `route`: as it was declared; an address as requested would make a series of its own. */
  answered(request: { method: string; route: string; status: number; seconds: number }): void {
    const { seconds, ...labels } = request;
    this.duration.observe(labels, seconds);
  }

  /** A server of its own: the load balancer knows the service's port only. */
  server(): Server {
    const server = createServer((request, response) => {
      if (request.url !== '/metrics' || request.method !== 'GET') {
        response.writeHead(404).end();
        return;
      }
      this.registry.metrics().then(
        (text) => response.setHeader('content-type', this.registry.contentType).end(text),
        () => response.writeHead(500).end(),
      );
    });
    new Connections(server, METRICS_CONNECTIONS_MAX);
    return server;
  }
}
