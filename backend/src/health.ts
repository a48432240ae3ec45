import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Configuration } from './configuration';
import type { Database } from './database';
import { whyUnavailable } from './database-errors';
import { migrate } from './migrations';

/** What `GET /health` answers. */
export interface HealthReport {
  readonly status: 'ok' | 'unavailable';
  readonly version: string;
  readonly commit: string;
  readonly uptimeSeconds: number;
  readonly database: 'ok' | 'unavailable' | 'not configured';
  /** Only when unavailable. */
  readonly reason?: string;
}

/** Knows whether the service can serve: whether it drains, and the state of its database. */
export class Health {
  private draining = false;
  private migrated = false;
  private wasAvailable: boolean | undefined;

  constructor(
    private readonly configuration: Configuration,
    private readonly database: Database | undefined,
    private readonly logger: Logger,
  ) {}

  /** From now on the load balancer is to turn away. */
  drain(): void {
    this.draining = true;
  }

  get isDraining(): boolean {
    return this.draining;
  }

  async report(): Promise<HealthReport> {
    const fault = this.database && (await this.databaseFault(this.database));
    const reason = this.draining ? 'the service is stopping' : fault;
    const report = {
      status: reason ? ('unavailable' as const) : ('ok' as const),
      version: this.configuration.version,
      commit: this.configuration.commit,
      uptimeSeconds: Math.floor(process.uptime()),
      database: !this.database
        ? ('not configured' as const)
        : fault
          ? ('unavailable' as const)
          : ('ok' as const),
      ...(reason && { reason }),
    };
    this.logChange(report);
    return report;
  }

  /** Brings the schema up to date as soon as the database can be reached. */
  async migrateWhenPossible(database: Database): Promise<void> {
    for (let pauseMs = 250; !this.migrated && !this.draining; pauseMs *= 2) {
      try {
        const steps = await migrate(database);
        this.migrated = true;
        this.logger.info({ steps }, 'the schema is up to date');
      } catch (error) {
        const reason = whyUnavailable(error);
        if (reason === undefined) {
          throw error;
        }
        this.logger.warn({ reason }, 'the schema cannot be brought up to date yet');
        await sleep(Math.min(pauseMs, 5_000), undefined, { ref: false });
      }
    }
  }

  private async databaseFault(database: Database): Promise<string | undefined> {
    const fault = await database.probe();
    return fault ?? (this.migrated ? undefined : 'the schema is being brought up to date');
  }

  private logChange({ status, reason }: HealthReport): void {
    const isAvailable = status === 'ok';
    if (isAvailable !== this.wasAvailable) {
      this.wasAvailable = isAvailable;
      this.logger[isAvailable ? 'info' : 'warn']({ reason }, `health: ${status}`);
    }
  }
}
