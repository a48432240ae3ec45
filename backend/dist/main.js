"use strict";
var __importDefault = (this && this.__importDefault) || function (mod) {
    return (mod && mod.__esModule) ? mod : { "default": mod };
};
Object.defineProperty(exports, "__esModule", { value: true });
const promises_1 = require("node:timers/promises");
const pino_1 = __importDefault(require("pino"));
const app_1 = require("./app");
const configuration_1 = require("./configuration");
const database_1 = require("./database");
const health_1 = require("./health");
const metrics_1 = require("./metrics");
const STOP_WITHIN_MS = 25_000;
async function serve(configuration, logger) {
    const database = configuration.database && new database_1.Database(configuration.database, logger);
    const health = new health_1.Health(configuration, database, logger);
    const metrics = new metrics_1.Metrics(database);
    const app = (0, app_1.createApp)({ configuration, database, health, metrics, logger });
    const connections = trackConnections(app.server);
    const metricsServer = metrics.server();
    async function stop(signal) {
        logger.info({ signal, drainSeconds: configuration.drainSeconds }, 'stopping');
        health.drain();
        setTimeout(() => {
            logger.error('requests in flight or the database kept it from stopping in time');
            process.exit(1);
        }, STOP_WITHIN_MS).unref();
        await (0, promises_1.setTimeout)(1_000 * configuration.drainSeconds);
        const closed = app.close();
        connections.closeIdle();
        await closed;
        metricsServer.close();
        await database?.close();
        logger.info('stopped');
        process.exit(0);
    }
    process.once('SIGTERM', (signal) => void stop(signal));
    process.once('SIGINT', (signal) => void stop(signal));
    await app.listen({ port: configuration.port, host: '0.0.0.0' });
    await new Promise((listening, failed) => {
        metricsServer.once('error', failed).listen(configuration.metricsPort, '0.0.0.0', listening);
    });
    logger.info({ port: app.server.address().port }, 'listening');
    if (database) {
        await health.migrateWhenPossible(database);
    }
}
function trackConnections(server) {
    const answering = new Map();
    let closing = false;
    server.on('connection', (socket) => {
        answering.set(socket, false);
        socket.once('close', () => answering.delete(socket));
    });
    server.on('request', ({ socket }, response) => {
        answering.set(socket, true);
        response.once('close', () => {
            answering.set(socket, false);
            if (closing) {
                socket.end();
            }
        });
    });
    return {
        closeIdle() {
            closing = true;
            for (const [socket, isAnswering] of answering) {
                if (!isAnswering) {
                    socket.end();
                }
            }
        },
    };
}
function start() {
    let configuration;
    try {
        configuration = (0, configuration_1.readConfiguration)(process.env);
    }
    catch (error) {
        if (!(error instanceof configuration_1.ConfigurationError)) {
            throw error;
        }
        const logger = createLogger('error');
        error.messages.forEach((message) => logger.fatal(message));
        process.exitCode = 1;
        return;
    }
    const logger = createLogger(configuration.logLevel);
    const crash = (error) => {
        logger.fatal({ err: error }, 'ending after an error that nothing handled');
        process.exit(1);
    };
    process.on('uncaughtException', crash);
    process.on('unhandledRejection', crash);
    void serve(configuration, logger);
}
function createLogger(level) {
    return (0, pino_1.default)({
        level,
        base: null,
        formatters: { level: (label) => ({ level: label }) },
        timestamp: pino_1.default.stdTimeFunctions.isoTime,
    });
}
start();
