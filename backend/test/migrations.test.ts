import assert from 'node:assert/strict';
import pino from 'pino';
import { after, before, describe, test } from 'node:test';
import { Database } from '../src/database';
import { migrate } from '../src/migrations';
import { eventually, PostgreSql } from './support';

describe('migrations', () => {
  let server: PostgreSql;
  let database: Database;

  before(async () => {
    server = await PostgreSql.start();
    const {
      DB_NAME: name = '',
      DB_USER: user = '',
      DB_PASSWORD: password = '',
    } = server.variables();
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

  test('steps that take too long are taken back and end the task', async () => {
    // A table of this name that may yet come to be makes the step wait.
    const other = server.query('BEGIN; CREATE TABLE notes (id int); SELECT pg_sleep(3); ROLLBACK');
    await eventually('the table', async () => {
      const sleeping = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
      return (await server.query(sleeping)).rowCount === 1;
    });
    await assert.rejects(migrate(database, 500), (error: Error) => {
      const { cause } = error as { cause?: Error };
      assert.match(String(cause ?? error), /up to 0001-notes took longer than 0\.5 seconds/);
      return true;
    });
    await other;
    const { rows } = await server.query(
      'SELECT tablename FROM pg_tables WHERE schemaname = $$public$$',
    );
    assert.deepEqual(rows, []);
    assert.deepEqual(await migrate(database), ['0001-notes']);
    assert.deepEqual(await migrate(database), []);
  });
});
