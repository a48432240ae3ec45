/**
 * What runs to its end before the service starts: makes the service's user of PostgreSQL and brings
 * the schema up to date, with the master user's login, which the service itself never has.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { readMigrationConfiguration, type MigrationConfiguration } from './configuration';
import { Database } from './database';
import { isLoginRefused, whyUnavailable } from './database-errors';
import { MIGRATE_WITHIN_MS, MIGRATION_MS } from './limits';
import { migrate } from './migrations';
import { startProgram } from './program';
import { ensureUser } from './database-user';

/** With less time than this, another try could only be cut off. */
const LEAST_MS = 5_000;

async function run(configuration: MigrationConfiguration, logger: Logger): Promise<void> {
  const { database: place, user, kept } = configuration;
  const database = new Database(place, logger);
  const endMs = performance.now() + MIGRATE_WITHIN_MS;
  for (let pauseMs = 250; ; pauseMs = Math.min(2 * pauseMs, 5_000)) {
    const leftMs = endMs - performance.now();
    try {
      await ensureUser(database, { configuration: place, user, kept }, logger);
      const steps = await migrate(database, user, Math.min(leftMs, MIGRATION_MS));
      logger.info({ steps }, 'the schema is up to date');
      break;
    } catch (error) {
      const reason = whyUnavailable(error);
      // A password that was changed since the task was started stays wrong: another task has the new.
      const isFinal = isLoginRefused((error as Error).cause) || leftMs < LEAST_MS + pauseMs;
      if (reason === undefined || isFinal) {
        throw error;
      }
      logger.warn({ reason }, 'the schema cannot be brought up to date yet');
      await sleep(pauseMs);
    }
  }
  await database.close();
}

startProgram(readMigrationConfiguration, run);
