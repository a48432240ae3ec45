import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Configuration } from './configuration';
import type { Database } from './database';
import { whyUnavailable } from './database-errors';
import { isUpToDate } from './migrations';

/** The database is looked at this often, whoever asks for health. */
const LOOK_EVERY_MS = 5_000;
/** While the database is away, the log says so this often: an alarm counts lines. */
const SAY_AGAIN_MS = 10_000;

/** What `GET /health` answers. */
export interface HealthReport {
  /** `degraded`: without its database, which another task would not reach either. */
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly version: string;
  readonly commit: string;
  readonly uptimeSeconds: number;
  readonly database: 'ok' | 'unavailable' | 'not configured';
  /** Unless all is well. */
  readonly reason?: string;
}

/**
 * Knows whether the service can serve, which is another question than whether its database does.
 *
 * A task that never reached its database, or not with this schema, is not to replace one that did:
 * it is unavailable. Once it was ready it stays so: to end it because the database is away would end
 * all tasks at once, and help nobody.
 */
export class Health {
  private draining = false;
  private hasSchema = false;
  private wasStatus: HealthReport['status'] | undefined;
  private away: { sinceMs: number; saidMs: number } | undefined;
  private looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly configuration: Configuration,
    private readonly database: Database | undefined,
    private readonly logger: Logger,
  ) {}

  /** From now on the load balancer is to turn away. */
  drain(): void {
    this.draining = true;
    clearInterval(this.looking);
  }

  get isDraining(): boolean {
    return this.draining;
  }

  async report(): Promise<HealthReport> {
    const fault = await this.database?.probe();
    if (this.database) {
      this.noteDatabase(fault);
    }
    const isStarting = this.database !== undefined && !this.hasSchema;
    const reason = this.draining
      ? 'the service is stopping'
      : (fault ?? (isStarting ? 'the schema is not up to date' : undefined));
    const report: HealthReport = {
      status: this.draining || isStarting ? 'unavailable' : fault ? 'degraded' : 'ok',
      version: this.configuration.version,
      commit: this.configuration.commit,
      uptimeSeconds: Math.floor(process.uptime()),
      database: !this.database ? 'not configured' : fault ? 'unavailable' : 'ok',
      ...(reason && { reason }),
    };
    this.noteStatus(report);
    return report;
  }

  /** Is ready as soon as the database can be reached and has the schema of this release. */
  async readyWhenPossible(database: Database): Promise<void> {
    this.looking = setInterval(() => void this.report(), LOOK_EVERY_MS).unref();
    for (let pauseMs = 250; !this.hasSchema && !this.draining; pauseMs *= 2) {
      try {
        this.hasSchema = await isUpToDate(database);
      } catch (error) {
        const reason = whyUnavailable(error);
        if (reason === undefined) {
          throw error;
        }
        this.logger.warn({ reason }, 'the schema cannot be looked at yet');
      }
      if (this.hasSchema) {
        this.logger.info('the schema is up to date');
        return;
      }
      await sleep(Math.min(pauseMs, 5_000), undefined, { ref: false });
    }
  }

  private noteStatus({ status, reason }: HealthReport): void {
    if (status !== this.wasStatus) {
      this.wasStatus = status;
      this.logger[status === 'ok' ? 'info' : 'warn']({ reason }, `health: ${status}`);
    }
  }

  /** An alarm on the log tells a database that is away by `database`. */
  private noteDatabase(fault: string | undefined): void {
    const nowMs = performance.now();
    const seconds = Math.round((nowMs - (this.away?.sinceMs ?? nowMs)) / 1_000);
    if (fault === undefined) {
      if (this.away) {
        this.away = undefined;
        this.logger.info({ database: 'ok', seconds }, 'the database is back');
      }
      return;
    }
    this.away ??= { sinceMs: nowMs, saidMs: -Infinity };
    if (nowMs - this.away.saidMs >= SAY_AGAIN_MS) {
      this.away.saidMs = nowMs;
      this.logger.warn({ database: 'unavailable', reason: fault, seconds }, 'the database is away');
    }
  }
}
