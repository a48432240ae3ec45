import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Client, Pool } from 'pg';
import type {
  ClientBase,
  ClientConfig,
  PoolClient,
  QueryConfig,
  QueryResult,
  QueryResultRow,
} from 'pg';
import type { Logger } from 'pino';
import type { DatabaseConfiguration } from './configuration';
import {
  DatabaseUnavailableError,
  isLoginRefused,
  TOO_LONG,
  whyUnavailable,
} from './database-errors';
import { CONNECT_MS, LOGIN_MS, PROBE_MS, STATEMENT_MS } from './limits';
import { loginSource, type LoginSource, type UserAndPassword } from './login';

/** How long an answer of the database is good for, so that health checks cost next to nothing. */
const ANSWER_GOOD_FOR_MS = 1_000;

/** PostgreSQL, through a pool of connections that survives new passwords and restarts. */
export class Database {
  private readonly logins: LoginSource;
  private readonly pool: Pool;
  /** Health has a connection of its own: a pool in full use is no reason to be replaced. */
  private readonly probePool: Pool;
  private login: UserAndPassword | undefined;
  private probing: Promise<string | undefined> | undefined;
  private servedAtMs = -Infinity;
  /** What was found out last, by a probe or by a request. */
  private found: { atMs: number; reason: string | undefined } | undefined;

  constructor(
    private readonly configuration: DatabaseConfiguration,
    private readonly logger: Logger,
  ) {
    this.logins = loginSource(configuration.login);
    const { connectionsMax, connectionLifetimeSeconds } = configuration;
    this.pool = this.poolOf(connectionsMax, connectionLifetimeSeconds, STATEMENT_MS);
    this.probePool = this.poolOf(1, 0, PROBE_MS);
  }

  /** Runs one statement. Throws DatabaseUnavailableError when that is no fault of the statement. */
  async query<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>> {
    // One call to the pool costs less than to borrow a connection, use it and return it.
    const result = await this.withLogin(() => this.pool.query<Row>(query));
    this.servedAtMs = performance.now();
    this.found = { atMs: this.servedAtMs, reason: undefined };
    return result;
  }

  /** Does `work` in one transaction, each statement of which may take `statementMs`. */
  async transaction(
    statementMs: number,
    work: (client: ClientBase) => Promise<void>,
  ): Promise<void> {
    await this.session(statementMs, async (client) => {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    });
  }

  /** Does `work` on a connection of its own, whose locks end with it. */
  async session(statementMs: number, work: (client: ClientBase) => Promise<void>): Promise<void> {
    const pool = this.poolOf(1, 0, statementMs);
    try {
      await this.using(pool, work);
    } finally {
      await pool.end();
    }
  }

  /** Why the database cannot serve now, within PROBE_MS; `undefined` if it can. */
  async probe(): Promise<string | undefined> {
    const { found } = this;
    if (found && performance.now() - found.atMs < ANSWER_GOOD_FOR_MS) {
      return found.reason;
    }
    this.probing ??= this.probeNow().finally(() => {
      this.probing = undefined;
    });
    const answered = new AbortController();
    const late = sleep(PROBE_MS, TOO_LONG, answered);
    late.catch(() => {});
    const reason = await Promise.race([this.probing, late]).finally(() => answered.abort());
    return this.isExcused(reason) ? undefined : reason;
  }

  /** Connections in use, idle, and requests that wait for one. */
  connections(): { used: number; idle: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.pool;
    return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }

  /** Closes all connections once what runs on them is done. */
  async close(): Promise<void> {
    await Promise.all([this.pool.end(), this.probePool.end()]);
  }

  private async probeNow(): Promise<string | undefined> {
    let reason: string | undefined;
    try {
      await this.using(this.probePool, (client) => client.query('SELECT 1'));
    } catch (error) {
      reason = whyUnavailable(error) ?? 'the database has a fault';
    }
    if (this.isExcused(reason)) {
      reason = undefined;
    }
    this.found = { atMs: performance.now(), reason };
    return reason;
  }

  /** A database with so much to do that a probe waits for its turn, but not every request, is there. */
  private isExcused(reason: string | undefined): boolean {
    return reason === TOO_LONG && performance.now() - this.servedAtMs < STATEMENT_MS;
  }

  private async using(pool: Pool, work: (client: PoolClient) => Promise<unknown>): Promise<void> {
    const client = await this.withLogin(() => pool.connect());
    // Without a listener, a connection that ends while no statement runs would end the process; the
    // next statement says so, too.
    client.on('error', ignore);
    try {
      await work(client);
      client.release();
      client.off('error', ignore);
    } catch (error) {
      // It may be in the middle of an answer or a transaction: a new one is cheaper than finding out.
      client.release(true);
      throw asUnavailable(error);
    }
  }

  /**
   * Does what may need a new connection; with the password read again, and once more, for as long as
   * the database refuses it. Only a connection is refused, so nothing is ever done twice.
   */
  private async withLogin<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const deadlineMs = performance.now() + LOGIN_MS;
    for (let pauseMs = 25; ; pauseMs = Math.min(2 * pauseMs, 1_000)) {
      try {
        this.login = await this.logins.current();
      } catch (error) {
        throw asUnavailable(error);
      }
      const { login } = this;
      try {
        return await attempt();
      } catch (error) {
        if (!isLoginRefused(error) || performance.now() + pauseMs > deadlineMs) {
          throw asUnavailable(error);
        }
        const mayHelp = await this.logins.refused(login).catch((failure: unknown) => {
          throw asUnavailable(failure);
        });
        if (!mayHelp) {
          throw asUnavailable(error);
        }
        this.logger.warn('the database refused the password, which was read again');
        await sleep(pauseMs);
      }
    }
  }

  /** `lifetimeSeconds`, `statementMs`: 0 is without limit. */
  private poolOf(connectionsMax: number, lifetimeSeconds: number, statementMs: number): Pool {
    const { host, port, name, certificateAuthorities } = this.configuration;
    const login = () => this.login;
    // The pool makes a connection when one is needed, which is long after it was made itself.
    class LoggedInClient extends Client {
      constructor(config: ClientConfig) {
        super({ ...config, user: login()?.user, password: login()?.password } as ClientConfig);
      }
    }
    const pool = new Pool({
      host,
      port,
      database: name,
      // Made once: reading the hundred certificates takes longer than connecting.
      ssl: certificateAuthorities && {
        secureContext: createSecureContext({ ca: certificateAuthorities }),
        rejectUnauthorized: true,
      },
      Client: LoggedInClient as unknown as new () => ClientBase,
      max: connectionsMax,
      maxLifetimeSeconds: lifetimeSeconds,
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: statementMs,
      // The one above needs a database that still answers.
      query_timeout: statementMs,
      keepAlive: true,
      application_name: 'prod-e-backend',
    });
    // Without a listener, an idle connection that the database closes would end the process.
    pool.on('error', (error) => {
      this.logger.warn({ reason: whyUnavailable(error) }, 'an idle connection was lost');
    });
    return pool;
  }
}

function ignore(): void {}

function asUnavailable(error: unknown): unknown {
  const reason = whyUnavailable(error);
  return reason === undefined ? error : new DatabaseUnavailableError(reason, { cause: error });
}
