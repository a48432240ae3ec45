import { Umzug } from 'umzug';
import type { ClientBase } from 'pg';
import type { Database } from './database';

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

/** Any number that nothing else in this database locks. */
const LOCK = 7_306_100;

/**
 * Brings the schema up to date and returns the names of the steps taken. Tasks that start at the
 * same time wait for each other; a step that fails leaves the schema as it was.
 */
export async function migrate(database: Database): Promise<string[]> {
  let done: string[] = [];
  await database.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS migrations (
        name text PRIMARY KEY,
        executed_at timestamptz NOT NULL DEFAULT now()
      )`,
    );
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
        up: async () => client.query(sql),
      })),
    });
    done = (await umzug.up()).map(({ name }) => name);
  });
  return done;
}
