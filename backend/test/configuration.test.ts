import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { eventually, freePort, nodeVersion, type Variables } from './support/programs';
import { ask, Service } from './support/service';

/** What the service says of these variables before it ends, one message per mistake. */
async function mistakes(variables: Variables): Promise<unknown[]> {
  const service = await Service.launch(variables);
  assert.equal(await service.exited, 1);
  return service.logs.map(({ msg }) => msg);
}

const DATABASE = { DB_HOST: 'db.example.com', DB_NAME: 'app', DB_USER: 'u', DB_PASSWORD: 'secret' };

test('every wrong variable has a message of its own', async () => {
  const found = await mistakes({
    ...{ HOST: 'here', PORT: '99999', LOG_LEVEL: 'loud', DB_CONNECTIONS_MAX: '0.5' },
  });
  assert.deepEqual(found.sort(), [
    'DB_CONNECTIONS_MAX: "0.5" is not allowed; allowed: 1 to 100.',
    'HOST: "here" is not allowed; allowed: an IP address.',
    'LOG_LEVEL: "loud" is not allowed; allowed: trace, debug, info, warn, error, fatal, silent.',
    'PORT: "99999" is not allowed; allowed: 1 to 65535.',
  ]);
});

test('it listens on the one address that it is given', async () => {
  const service = await Service.launch({ HOST: '127.0.0.2' });
  try {
    for (const port of [service.port, service.metricsPort]) {
      await eventually('it listens', async () => reaches(port, '127.0.0.2'));
      assert.equal(await reaches(port, '127.0.0.1'), false);
    }
  } finally {
    await service.kill();
  }
});

async function reaches(port: number, host: string): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const CHECKED: [string, Variables][] = [
  ['the address and port that it is given', { HOST: '127.0.0.1' }],
  ['any address', { HOST: '0.0.0.0' }],
];
for (const [what, variables] of CHECKED) {
  test(`the image's health check asks a service that listens on ${what}`, async () => {
    const service = await Service.start(variables);
    try {
      assert.equal(await service.checkHealth(variables), 0);
      const elsewhere = { ...variables, PORT: `${await freePort()}` };
      assert.equal(await service.checkHealth(elsewhere), 1);
    } finally {
      await service.kill();
    }
  });
}

test('metrics need a port of their own', async () => {
  assert.deepEqual(await mistakes({ PORT: '4000', METRICS_PORT: '4000' }), [
    'METRICS_PORT: 4000 is PORT too; metrics need a port of their own.',
  ]);
});

const HALF_A_DATABASE: [Variables, string][] = [
  [{ ...DATABASE, DB_HOST: '' }, 'DB_HOST: not set, but other variables of the database are.'],
  [{ ...DATABASE, DB_NAME: '' }, 'DB_NAME: not set, but other variables of the database are.'],
  [{ ...DATABASE, DB_USER: '' }, 'DB_USER: not set, but its other half is.'],
  [{ ...DATABASE, DB_PASSWORD: '' }, 'DB_PASSWORD: not set, but its other half is.'],
  [
    { DB_HOST: 'db', DB_NAME: 'app' },
    'DB_SECRET_ARN: not set; allowed: it, or DB_USER with DB_PASSWORD.',
  ],
  [
    { ...DATABASE, DB_SECRET_ARN: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:s' },
    'DB_SECRET_ARN: set, and so is DB_USER or DB_PASSWORD; allowed: one way.',
  ],
  [
    { DB_HOST: 'db', DB_NAME: 'app', DB_SECRET_ARN: 'my-secret' },
    'DB_SECRET_ARN: "my-secret" is not the ARN of a secret.',
  ],
  [
    { ...DATABASE, DB_CA_FILE: '/nonexistent' },
    'DB_CA_FILE: "/nonexistent" is not a readable file of PEM certificates.',
  ],
];

for (const [variables, message] of HALF_A_DATABASE) {
  test(`half a database is a mistake: ${message}`, async () => {
    assert.deepEqual(await mistakes(variables), [message]);
  });
}

test('a message never repeats a password', async () => {
  const found = await mistakes({ ...DATABASE, DB_HOST: '', PORT: 'x' });
  assert.ok(!found.join('\n').includes('secret'));
});

test('it runs on the version of Node.js that is asked for', async () => {
  const service = await Service.start({});
  try {
    const { text } = await ask(service.metricsPort, '/metrics');
    const version = /nodejs_version_info\{version="(v[\d.]+)"/.exec(text)?.[1];
    assert.equal(version, await nodeVersion());
  } finally {
    await service.kill();
  }
});

test('without a database it serves what needs none', async () => {
  const service = await Service.start({ VERSION: '1.2.3', COMMIT: 'abc' });
  try {
    const health = await service.ask('/health');
    assert.deepEqual(
      [health.body.status, health.body.database, health.body.version, health.body.commit],
      ['ok', 'not configured', '1.2.3', 'abc'],
    );
    assert.equal((await service.ask('/')).body.version, '1.2.3');
    const notes = await service.ask('/notes');
    assert.deepEqual([notes.status, notes.body.error.code], [503, 'database_unavailable']);
  } finally {
    await service.kill();
  }
});
