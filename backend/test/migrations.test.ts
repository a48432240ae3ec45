import assert from 'node:assert/strict';
import pino from 'pino';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from '../src/database';
import { DatabaseUnavailableError } from '../src/database-errors';
import { migrate } from '../src/migrations';
import { migrate as runMigrationsWith } from './support/migrate';
import { PostgreSql } from './support/postgresql';
import { eventually } from './support/programs';

describe('migrations', () => {
  let server: PostgreSql;
  let database: Database;

  before(async () => {
    server = await PostgreSql.start({ isMigrated: false });
    await server.query('CREATE ROLE reader');
    const {
      DB_NAME: name = '',
      DB_MASTER_USER: user = '',
      DB_MASTER_PASSWORD: password = '',
    } = server.migrationVariables();
    database = new Database(
      {
        ...{ host: '127.0.0.1', port: server.port, name, connectionsMax: 1 },
        login: { kind: 'password', user, password },
        certificateAuthorities: undefined,
        connectionLifetimeSeconds: 0,
      },
      pino({ level: 'silent' }),
    );
  });
  after(async () => {
    await database.close();
    await server.remove();
  });

  /** Makes the step wait for so long: a table of its name may yet come to be. */
  async function hold(seconds: number) {
    const held = server.query(
      `BEGIN; CREATE TABLE notes (id int); SELECT pg_sleep(${seconds}); ROLLBACK`,
    );
    await eventually('the table', async () => {
      const sleeping = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
      return (await server.query(sleeping)).rowCount === 1;
    });
    return { released: held };
  }

  test('a step that a failover ends is no fault of the step', async () => {
    const { released } = await hold(1);
    const ended = assert.rejects(migrate(database, 'reader'), DatabaseUnavailableError);
    await eventually('the step waits', async () => {
      const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock'`;
      return (await server.query(end)).rowCount === 1;
    });
    await ended;
    await released;
  });

  test('a connection that ends between two statements ends no process', async () => {
    const work = database.session(5_000, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await server.query(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
      await sleep(200);
      await client.query('SELECT 1');
    });
    await assert.rejects(work, DatabaseUnavailableError);
  });

  test('steps that take too long are taken back and end the task', async () => {
    const { released } = await hold(3);
    await assert.rejects(migrate(database, 'reader', 500), (error: Error) => {
      const { cause } = error as { cause?: Error };
      assert.match(String(cause ?? error), /up to 0001-notes took longer than 0\.5 seconds/);
      return true;
    });
    await released;
    const { rows } = await server.query(
      'SELECT tablename FROM pg_tables WHERE schemaname = $$public$$',
    );
    assert.deepEqual(rows, []);
    assert.deepEqual(await migrate(database, 'reader'), ['0001-notes']);
    assert.deepEqual(await migrate(database, 'reader'), []);
  });
});

test('tasks that start at the same time bring the schema up to date once', async () => {
  const database = await PostgreSql.start({ isMigrated: false });
  try {
    const started = Array.from({ length: 4 }, async () => runMigrations(database));
    const steps = (await Promise.all(started)).map(({ status, logs }) => {
      assert.equal(status, 0, JSON.stringify(logs));
      return logs.find(({ msg }) => msg === 'the schema is up to date')?.['steps'];
    });
    assert.deepEqual(steps.flat(), ['0001-notes']);
    assert.equal((await runMigrations(database)).status, 0);
  } finally {
    await database.remove();
  }
});

test('a step that fails leaves the schema as it was and ends with status 1', async () => {
  const database = await PostgreSql.start({ isMigrated: false });
  try {
    await database.query('CREATE TABLE notes (something text)');
    const { status, logs } = await runMigrations(database);
    assert.deepEqual([status, logs.at(-1)?.['level']], [1, 'fatal']);
    const tables = await database.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    assert.deepEqual(tables.rows, [{ name: 'notes' }]);
  } finally {
    await database.remove();
  }
});

test('a database that is away is waited for, and a wrong password is not', async () => {
  const database = await PostgreSql.start({ isMigrated: false });
  try {
    await database.crash();
    const running = runMigrations(database);
    await sleep(1_000);
    await database.boot();
    const { status, logs } = await running;
    assert.equal(status, 0);
    assert.equal(logs[0]?.['msg'], 'the schema cannot be brought up to date yet');
    const started = Date.now();
    const variables = { ...database.migrationVariables(), DB_MASTER_PASSWORD: 'wrong' };
    const refused = await runMigrationsWith(variables);
    assert.equal(refused.status, 1);
    assert.ok(Date.now() - started < 5_000);
  } finally {
    await database.remove();
  }
});

test('every variable of migrations that is missing or wrong has a message of its own', async () => {
  const { status, logs } = await runMigrationsWith({ DB_HOST: 'db', DB_PORT: 'x' });
  assert.equal(status, 1);
  assert.deepEqual(logs.map(({ msg }) => msg).sort(), [
    'DB_MASTER_PASSWORD: not set.',
    'DB_MASTER_USER: not set.',
    'DB_NAME: not set.',
    'DB_PORT: "x" is not allowed; allowed: 1 to 65535.',
    'DB_SECRET_ARN or DB_PASSWORD: one of them keeps the password of DB_USER.',
    'DB_USER: not set.',
  ]);
});

async function runMigrations(database: PostgreSql) {
  return runMigrationsWith(database.migrationVariables());
}
