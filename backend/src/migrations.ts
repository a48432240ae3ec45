import { performance } from 'node:perf_hooks';
import { Umzug } from 'umzug';
import { DatabaseError, escapeIdentifier, type ClientBase } from 'pg';
import type { Database } from './database';
import { MIGRATION_MS } from './limits';

/**
 * The schema, step by step; a step that was shipped never changes. While a release is rolled out
 * or back, the release before it runs on the same schema: a step may add, and removes only what no
 * running release uses any more.
 */
const MIGRATIONS = [
  {
    name: '0001-notes',
    sql: `
      CREATE TABLE notes (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        -- Pages follow it: unlike a time of creation, no two notes share it.
        position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
        body text NOT NULL DEFAULT '' CHECK (char_length(body) <= 10000),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`,
  },
];

/**
 * What the service may do with it; the tables belong to the master user. Each is of a table, a
 * sequence or a schema, as in `GRANT … TO user`.
 */
const RIGHTS = [
  'USAGE ON SCHEMA public',
  'SELECT, INSERT, UPDATE, DELETE ON notes',
  'SELECT ON migrations',
];

/** Any number that nothing else in this database locks. */
const LOCK = 7_306_100;

/** PostgreSQL ended a statement that took longer than it may. */
const STATEMENT_ENDED = '57014';

/** A statement that the database does not end in time was not heard: the database is away. */
const LATER_MS = 5_000;

/** Whether all steps were taken; asked by the service, which cannot take any. */
export async function isUpToDate(database: Database): Promise<boolean> {
  try {
    const { rows } = await database.query<{ name: string }>({
      text: 'SELECT name FROM migrations',
    });
    const taken = new Set(rows.map(({ name }) => name));
    return MIGRATIONS.every(({ name }) => taken.has(name));
  } catch (error) {
    if (error instanceof DatabaseError && NOT_YET.has(error.code ?? '')) {
      return false;
    }
    throw error;
  }
}

/** There is no such table, or no right to it. */
const NOT_YET = new Set(['42P01', '42501']);

/**
 * Brings the schema up to date, gives `user` its rights, and returns the names of the steps taken.
 * Tasks that start at the same time wait for each other; a step that fails leaves the schema as it
 * was. So do steps that take longer than `limitMs` together.
 */
export async function migrate(
  database: Database,
  user: string,
  limitMs = MIGRATION_MS,
): Promise<string[]> {
  let done: string[] = [];
  await database.transaction(limitMs + LATER_MS, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS migrations (
        name text PRIMARY KEY,
        executed_at timestamptz NOT NULL DEFAULT now()
      )`,
    );
    const deadlineMs = performance.now() + limitMs;
    const umzug = new Umzug<ClientBase>({
      context: client,
      logger: undefined,
      storage: {
        async executed() {
          const { rows } = await client.query<{ name: string }>('SELECT name FROM migrations');
          return rows.map(({ name }) => name);
        },
        async logMigration({ name }) {
          await client.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
        },
        async unlogMigration({ name }) {
          await client.query('DELETE FROM migrations WHERE name = $1', [name]);
        },
      },
      migrations: MIGRATIONS.map(({ name, sql }) => ({
        name,
        up: async () => {
          const leftMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
          await client.query(`SET LOCAL statement_timeout = ${leftMs}`);
          await client.query(sql).catch((error: unknown) => {
            throw isEnded(error) ? new StepsTooLongError(name, limitMs) : error;
          });
        },
      })),
    });
    done = (await umzug.up()).map(({ name }) => name);
    for (const right of RIGHTS) {
      await client.query(`GRANT ${right} TO ${escapeIdentifier(user)}`);
    }
  });
  return done;
}

function isEnded(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === STATEMENT_ENDED;
}

/** Nothing that goes away by itself: a task that tried again would never be healthy. */
class StepsTooLongError extends Error {
  constructor(name: string, limitMs: number) {
    super(
      `The steps of the schema up to ${name} took longer than ${limitMs / 1_000} seconds and were` +
        ' taken back: a task that is not healthy by then is replaced. Make them smaller, or take' +
        ' them by hand before the release.',
    );
    this.name = 'StepsTooLongError';
  }
}
