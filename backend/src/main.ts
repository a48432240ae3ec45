import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { createApp } from './app';
import { ConfigurationError, readConfiguration, type Configuration } from './configuration';
import { Database } from './database';
import { Health } from './health';
import { CUT_AFTER_STOP_MS, STOP_WITHIN_MS } from './limits';
import { Metrics } from './metrics';

async function serve(configuration: Configuration, logger: Logger): Promise<void> {
  const database = configuration.database && new Database(configuration.database, logger);
  const health = new Health(configuration, database, logger);
  const metrics = new Metrics(database);
  const { app, connections } = createApp({ configuration, database, health, metrics, logger });
  const metricsServer = metrics.server();

  async function stop(signal: NodeJS.Signals): Promise<void> {
    logger.info({ signal, drainSeconds: configuration.drainSeconds }, 'stopping');
    health.drain();
    setTimeout(() => {
      logger.error('the database kept it from stopping in time');
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    setTimeout(() => {
      const cut = connections.cut();
      if (cut > 0) {
        logger.warn({ connections: cut }, 'cut connections that took too long to end');
      }
    }, CUT_AFTER_STOP_MS).unref();
    // A Spot task is told to stop while the load balancer still sends requests to it.
    await sleep(1_000 * configuration.drainSeconds);
    await connections.stop();
    await app.close();
    metricsServer.close();
    await database?.close();
    logger.info('stopped');
    process.exit(0);
  }
  process.once('SIGTERM', (signal) => void stop(signal));
  process.once('SIGINT', (signal) => void stop(signal));

  await app.listen({ port: configuration.port, host: configuration.host });
  await new Promise<void>((listening, failed) => {
    metricsServer
      .once('error', failed)
      .listen(configuration.metricsPort, configuration.host, listening);
  });
  logger.info({ port: (app.server.address() as AddressInfo).port }, 'listening');
  if (database) {
    await health.migrateWhenPossible(database);
  }
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
  process.once('exit', () => output.flushSync());
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
