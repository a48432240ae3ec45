import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp } from './app';
import { readConfiguration, type Configuration } from './configuration';
import { Database } from './database';
import { Health } from './health';
import { CUT_AFTER_STOP_MS, STOP_WITHIN_MS } from './limits';
import { Metrics } from './metrics';
import { startProgram } from './program';
import { keepPasswordYoung } from './database-user';

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
    await health.readyWhenPossible(database);
    keepPasswordYoung(database, configuration.database?.login, logger);
  }
}

startProgram(readConfiguration, serve);
