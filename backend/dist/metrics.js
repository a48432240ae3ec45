"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Metrics = void 0;
const node_http_1 = require("node:http");
const prom_client_1 = require("prom-client");
class Metrics {
    constructor(database) {
        this.registry = new prom_client_1.Registry();
        this.duration = new prom_client_1.Histogram({
            name: 'http_request_duration_seconds',
            help: 'Time from the arrival of a request to the end of its answer.',
            labelNames: ['method', 'route', 'status'],
            buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
            registers: [this.registry],
        });
        (0, prom_client_1.collectDefaultMetrics)({ register: this.registry });
        if (database) {
            new prom_client_1.Gauge({
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
        }
    }
    answered(request) {
        const { seconds, ...labels } = request;
        this.duration.observe(labels, seconds);
    }
    server() {
        return (0, node_http_1.createServer)((request, response) => {
            if (request.url !== '/metrics' || request.method !== 'GET') {
                response.writeHead(404).end();
                return;
            }
            this.registry.metrics().then((text) => response.setHeader('content-type', this.registry.contentType).end(text), () => response.writeHead(500).end());
        });
    }
}
exports.Metrics = Metrics;
