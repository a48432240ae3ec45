import type { AddressInfo, Socket } from 'node:net';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { createApp } from './app';
import { ConfigurationError, readConfiguration, type Configuration } from './configuration';
import { Database } from './database';
import { Health } from './health';
import { Metrics } from './metrics';

/** ECS sends SIGKILL 30 seconds after SIGTERM: `stopTimeout` of the task definition. */
const STOP_WITHIN_MS = 25_000;

async function serve(configuration: Configuration, logger: Logger): Promise<void> {
  const database = configuration.database && new Database(configuration.database, logger);
  const health = new Health(configuration, database, logger);
  const metrics = new Metrics(database);
  const app = createApp({ configuration, database, health, metrics, logger });
  const connections = trackConnections(app.server);
  const metricsServer = metrics.server();

  async function stop(signal: NodeJS.Signals): Promise<void> {
    logger.info({ signal, drainSeconds: configuration.drainSeconds }, 'stopping');
    health.drain();
    setTimeout(() => {
      logger.error('requests in flight or the database kept it from stopping in time');
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    // A Spot task is told to stop while the load balancer still sends requests to it.
    await sleep(1_000 * configuration.drainSeconds);
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
  await new Promise<void>((listening, failed) => {
    metricsServer.once('error', failed).listen(configuration.metricsPort, '0.0.0.0', listening);
  });
  logger.info({ port: (app.server.address() as AddressInfo).port }, 'listening');
  if (database) {
    await health.migrateWhenPossible(database);
  }
}

/** Node.js 16 has no `closeIdleConnections`, and waits for connections kept alive for nothing. */
function trackConnections(server: Server): { closeIdle(): void } {
  const answering = new Map<Socket, boolean>();
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

function start(): void {
  let configuration: Configuration;
  try {
    configuration = readConfiguration(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) {
      throw error;
    }
    const logger = createLogger('error');
    error.messages.forEach((message) => logger.fatal(message));
    process.exitCode = 1;
    return;
  }
  const logger = createLogger(configuration.logLevel);
  // Nobody knows what state it is in now: ECS starts another in its place.
  const crash = (error: unknown) => {
    logger.fatal({ err: error }, 'ending after an error that nothing handled');
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  void serve(configuration, logger);
}

function createLogger(level: string): Logger {
  // A write for every line would take a third of a request's time. The buffer is written when it is
  // full, ten times a second, after what is fatal, and on exit. It is small, because all that is in
  // it is counted anew for every line.
  const output = pino.destination({ sync: true, minLength: 2_048, periodicFlush: 100 });
  const options = {
    level,
    // The process and host say nothing in a container; a level is easier found by its name.
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, output);
}

start();
