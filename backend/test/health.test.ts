import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgreSql } from './support/postgresql';
import { eventually } from './support/programs';
import { ask, Service, type Answer } from './support/service';

/** Nothing of where the database is or who asks it. */
function assertTellsNothing(answer: Answer, database: PostgreSql): void {
  const { DB_PORT, DB_USER, DB_PASSWORD } = database.variables();
  for (const told of ['127.0.0.1', DB_PORT, DB_USER, DB_PASSWORD, 'ECONN']) {
    assert.ok(!answer.text.includes(String(told)), `${answer.text} tells ${told}`);
  }
}

describe('health', () => {
  let database: PostgreSql;
  let service: Service;

  beforeEach(async () => {
    database = await PostgreSql.start();
    service = await Service.start({ ...database.variables(), DB_CONNECTIONS_MAX: '3' });
  });
  afterEach(async () => {
    await service?.kill();
    await database?.remove();
  });

  test('a database that goes away is told, and is no reason to replace a task', async () => {
    const { id } = (await service.ask('/notes', { method: 'POST', body: { title: 'x' } })).body;
    await database.crash();
    const down = await service.untilHealth(200, 'unavailable');
    assert.deepEqual(
      [down.body.status, down.body.reason],
      ['degraded', 'the database cannot be reached'],
    );
    assertTellsNothing(down, database);
    assert.match((await fetchMetrics(service)).text, /^database_up 0$/m);
    const refused = await service.ask(`/notes/${id}`);
    assert.deepEqual([refused.status, refused.body.error.code], [503, 'database_unavailable']);
    assert.equal(refused.headers['retry-after'], '1');
    assertTellsNothing(refused, database);

    await database.boot();
    const up = await service.untilHealth(200, 'ok');
    assert.deepEqual([up.body.status, up.body.reason], ['ok', undefined]);
    assert.equal((await service.ask(`/notes/${id}`)).body.title, 'x');
    assert.match((await fetchMetrics(service)).text, /^database_up 1$/m);
  });

  test('the log says that the database is away, and again, though nobody asks', async () => {
    const said = (level: string, found: string) =>
      service.logs.filter((line) => line['level'] === level && line['database'] === found);
    await database.crash();
    await eventually('two lines', () => said('warn', 'unavailable').length >= 2, 40_000);
    assert.equal(said('warn', 'unavailable')[0]?.['reason'], 'the database cannot be reached');
    await database.boot();
    await eventually('a line', () => said('info', 'ok').length === 1, 40_000);
    assert.equal(service.logs.filter(({ level }) => level === 'error').length, 0);
  });

  test('requests that a database away refuses are told from faults in the log', async () => {
    await database.crash();
    assert.equal((await service.ask('/notes')).status, 503);
    const line = await eventually('a line', () =>
      service.logs.find(({ msg }) => msg === 'request'),
    );
    assert.deepEqual(
      [line['level'], line['status'], line['code']],
      ['warn', 503, 'database_unavailable'],
    );
  });

  test('a task that stops is unavailable whether its database is there or not', async () => {
    await service.kill();
    service = await Service.start({ ...database.variables(), DRAIN_SECONDS: '5' });
    await database.crash();
    await service.untilHealth(200, 'unavailable');
    service.signal('SIGTERM');
    const stopping = await service.untilHealth(503);
    assert.equal(stopping.body.reason, 'the service is stopping');
    assert.equal(await service.exited, 0);
  });

  test('a database that serves requests is there, however late it answers a probe', async () => {
    const isOk = async () => (await service.ask('/health')).body.database === 'ok';
    // Its first probe makes the connection that is stopped then.
    await eventually('a probe', isOk);
    const resume = await database.freezeConnections('SELECT 1');
    try {
      for (const pauseMs of [0, 500, 1_200]) {
        assert.equal((await service.ask('/notes')).status, 200);
        await sleep(pauseMs);
        assert.ok(await isOk(), `it served a request ${pauseMs} ms ago`);
      }
    } finally {
      await resume();
    }
    await service.untilHealth(200, 'ok');
  });

  test('it answers within two seconds however slow the database is', async () => {
    const resume = await database.freeze();
    try {
      await eventually('the last answer is too old', async () => {
        const started = Date.now();
        const answer = await service.ask('/health');
        assert.ok(Date.now() - started < 2_000);
        return answer.status === 200 && answer.body.reason?.includes('too long');
      });
    } finally {
      await resume();
    }
    await service.untilHealth(200, 'ok');
  });

  test('a request for a database that does not answer ends with 503', async () => {
    const resume = await database.freeze();
    try {
      const answers = await Promise.all([1, 2, 3, 4, 5].map(async () => service.ask('/notes')));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [503, 503, 503, 503, 503],
      );
    } finally {
      await resume();
    }
    await eventually('notes again', async () => (await service.ask('/notes')).status === 200);
  });

  test('connections that are all in use are no reason to be replaced', async () => {
    const { id } = (await service.ask('/notes', { method: 'POST', body: { title: 'x' } })).body;
    const lock = database.query('BEGIN; SELECT * FROM notes FOR UPDATE; SELECT pg_sleep(2)');
    await eventually('the lock', async () => {
      const sleeping = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
      return (await database.query(sleeping)).rowCount === 1;
    });
    const updates = Array.from({ length: 6 }, async () =>
      service.ask(`/notes/${id}`, { method: 'PATCH', body: { title: 'y' } }),
    );
    await service.untilHealth(200, 'ok');
    const metrics = await eventually('a full pool', async () => {
      const { text } = await fetchMetrics(service);
      return text.includes('database_connections{state="used"} 3') && text;
    });
    assert.match(metrics, /database_connections\{state="waiting"\} 3/);
    assert.equal((await service.ask('/health')).body.database, 'ok');
    await lock;
    const statuses = (await Promise.all(updates)).map(({ status }) => status);
    assert.ok(
      statuses.every((status) => status === 200 || status === 503),
      String(statuses),
    );
    assert.ok(statuses.includes(200));
  });

  test('metrics are not on the port of the load balancer', async () => {
    assert.equal((await service.ask('/metrics')).status, 404);
    const { text, status } = await fetchMetrics(service);
    assert.equal(status, 200);
    assert.match(text, /^http_request_duration_seconds_count\{.*route="\/health".*\} \d+$/m);
    assert.match(text, /^process_resident_memory_bytes \d+$/m);
  });
});

async function fetchMetrics(service: Service): Promise<Answer> {
  return ask(service.metricsPort, '/metrics');
}

test('a task is not ready before it has reached its database', async () => {
  const database = await PostgreSql.start();
  await database.crash();
  const service = await Service.launch(database.variables());
  try {
    const health = await service.untilHealth(503, 'unavailable');
    assert.equal(health.body.reason, 'the database cannot be reached');
    assert.equal((await service.ask('/')).status, 200);
    await database.boot();
    await service.untilHealth(200, 'ok');
  } finally {
    await service.kill();
    await database.remove();
  }
});

test('a task is not ready before the schema is there', async () => {
  const database = await PostgreSql.start();
  await database.query('DELETE FROM migrations');
  const service = await Service.launch(database.variables());
  try {
    const health = await service.untilHealth(503, 'ok');
    assert.equal(health.body.reason, 'the schema is not up to date');
    await database.query("INSERT INTO migrations (name) VALUES ('0001-notes')");
    await service.untilHealth(200, 'ok');
  } finally {
    await service.kill();
    await database.remove();
  }
});

test('a wrong password is told as that', async () => {
  const database = await PostgreSql.start();
  const service = await Service.launch({ ...database.variables(), DB_PASSWORD: 'wrong' });
  try {
    const health = await service.untilHealth(503);
    assert.equal(health.body.reason, 'the database refuses the login');
  } finally {
    await service.kill();
    await database.remove();
  }
});
