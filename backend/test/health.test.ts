import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ask, eventually, freePort, PostgreSql, Service, type Answer } from './support';

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

  test('a database that goes away and comes back needs no restart', async () => {
    const { id } = (await service.ask('/notes', { method: 'POST', body: { title: 'x' } })).body;
    await database.crash();
    const down = await service.untilHealth(503);
    assert.deepEqual(
      [down.body.status, down.body.database, down.body.reason],
      ['unavailable', 'unavailable', 'the database cannot be reached'],
    );
    assertTellsNothing(down, database);
    const refused = await service.ask(`/notes/${id}`);
    assert.deepEqual([refused.status, refused.body.error.code], [503, 'database_unavailable']);
    assert.equal(refused.headers['retry-after'], '1');
    assertTellsNothing(refused, database);

    await database.boot();
    await service.untilHealth(200);
    assert.equal((await service.ask(`/notes/${id}`)).body.title, 'x');
  });

  test('it answers within two seconds however slow the database is', async () => {
    const resume = await database.freeze();
    try {
      await eventually('the last answer is too old', async () => {
        const started = Date.now();
        const answer = await service.ask('/health');
        assert.ok(Date.now() - started < 2_000);
        return answer.status === 503 && answer.body.reason.includes('too long');
      });
    } finally {
      await resume();
    }
    await service.untilHealth(200);
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
    await service.untilHealth(200);
    const metrics = await eventually('a full pool', async () => {
      const { text } = await fetchMetrics(service);
      return text.includes('database_connections{state="used"} 3') && text;
    });
    assert.match(metrics, /database_connections\{state="waiting"\} 3/);
    assert.equal((await service.ask('/health')).status, 200);
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

test('a task that starts before its database serves as soon as that is there', async () => {
  const port = await freePort();
  const nowhere = { DB_HOST: '127.0.0.1', DB_NAME: 'postgres', DB_USER: 'prod', DB_PASSWORD: 'x' };
  const service = await Service.launch({ ...nowhere, DB_PORT: `${port}` });
  try {
    const health = await service.untilHealth(503);
    assert.equal(health.body.reason, 'the database cannot be reached');
    assert.equal((await service.ask('/')).status, 200);
  } finally {
    await service.kill();
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
