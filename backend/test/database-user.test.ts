import assert from 'node:assert/strict';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { EmbeddedAws } from './support/embedded-aws';
import { migrate } from './support/migrate';
import { PostgreSql } from './support/postgresql';
import { eventually, type Variables } from './support/programs';
import { Service } from './support/service';

interface Login {
  readonly user: string;
  readonly password: string;
}

describe("the service's own user", { skip: EmbeddedAws.missing() ?? false }, () => {
  let aws: EmbeddedAws;
  let secrets: SecretsManagerClient;
  let database: PostgreSql;
  let arn: string;

  before(async () => {
    [aws, database] = await Promise.all([
      EmbeddedAws.start(),
      PostgreSql.start({ isMigrated: false, settings: ['log_statement=all'] }),
    ]);
    secrets = aws.secrets();
  });
  beforeEach(async () => {
    // As Terraform makes it: without a value.
    const created = await secrets.send(new CreateSecretCommand({ Name: randomUUID() }));
    arn = String(created.ARN);
  });
  after(async () => {
    await aws?.stop();
    await database?.remove();
  });

  /** What the service is told; migrations are told the master user's login too. */
  const variables = (): Variables => ({
    ...database.place(),
    ...aws.variables(),
    DB_SECRET_ARN: arn,
  });

  async function migrated(): Promise<Record<string, unknown>[]> {
    const { DB_USER, DB_MASTER_USER, DB_MASTER_PASSWORD } = database.migrationVariables();
    const login = { DB_USER, DB_MASTER_USER, DB_MASTER_PASSWORD } as Variables;
    const { status, logs } = await migrate({ ...variables(), ...login });
    assert.equal(status, 0, JSON.stringify(logs));
    return logs;
  }

  async function login(): Promise<Login> {
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: arn }));
    const { username: user, password } = JSON.parse(String(SecretString));
    return { user, password };
  }

  async function put(password: string, stage: string): Promise<void> {
    const SecretString = JSON.stringify({ username: (await login()).user, password });
    const command = { SecretId: arn, SecretString, VersionStages: [stage] };
    await secrets.send(new PutSecretValueCommand(command));
  }

  test('an empty secret is filled, and the service may do with its notes what it has to', async () => {
    await migrated();
    const service = await Service.start(variables());
    const { body } = await service.ask('/notes', { method: 'POST', body: { title: 'x' } });
    const changed = await service.ask(`/notes/${body.id}`, {
      method: 'PATCH',
      body: { title: 'y' },
    });
    assert.equal(changed.status, 200);
    assert.equal((await service.ask(`/notes/${body.id}`, { method: 'DELETE' })).status, 204);
    await service.stop();
  });

  test('it may do nothing else', async () => {
    await migrated();
    const own = await login();
    for (const statement of [
      'DROP TABLE notes',
      'TRUNCATE notes',
      'ALTER TABLE notes ADD x int',
      'CREATE TABLE another (id int)',
      'CREATE ROLE another',
      "INSERT INTO migrations (name) VALUES ('9999')",
      'SELECT * FROM pg_authid',
    ]) {
      const refused = { code: '42501' };
      await assert.rejects(database.query(statement, own), refused, statement);
    }
    const { rows } = await database.query<{ is: boolean }>(
      'SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS is' +
        ' FROM pg_roles WHERE rolname = current_user',
      own,
    );
    assert.deepEqual(rows, [{ is: false }]);
  });

  test('tasks that start together agree on one password', async () => {
    await Promise.all([1, 2, 3, 4].map(migrated));
    await database.query('SELECT 1', await login());
    const before = await login();
    await migrated();
    assert.deepEqual(await login(), before);
  });

  test('a change of the password that was left half done is finished', async () => {
    await migrated();
    await put('half-done', 'AWSPENDING');
    await database.changePassword('half-done');
    await migrated();
    assert.equal((await login()).password, 'half-done');
    await database.query('SELECT 1', await login());
  });

  test('a change that never came to the database is dropped', async () => {
    await migrated();
    const before = await login();
    await put('never-came', 'AWSPENDING');
    await migrated();
    assert.deepEqual(await login(), before);
    await database.query('SELECT 1', before);
  });

  test('a database that was restored gets the password that the secret has', async () => {
    await migrated();
    await database.changePassword('of-long-ago');
    await migrated();
    await database.query('SELECT 1', await login());
  });

  test('a secret without a login gets a new one', async () => {
    await migrated();
    const before = await login();
    await secrets.send(new PutSecretValueCommand({ SecretId: arn, SecretString: '{}' }));
    await migrated();
    assert.notDeepEqual(await login(), before);
    await database.query('SELECT 1', await login());
  });

  test('services change it when it is old, and lose no request under load', async () => {
    const logs = await migrated();
    const told = { ...variables(), DB_CONNECTION_LIFETIME_SECONDS: '1', DB_CONNECTIONS_MAX: '4' };
    const services = await Promise.all(
      [1, 2].map(async () => Service.start({ ...told, DB_PASSWORD_LIFETIME_SECONDS: '3' })),
    );
    const changes = () =>
      services.flatMap((each) => each.logs).filter(({ msg }) => /changed the pass/.test(`${msg}`));
    const passwords = new Set([(await login()).password]);
    const failures: string[] = [];
    let isOver = false;
    let answered = 0;
    const clients = Array.from({ length: 8 }, async (_, number) => {
      while (!isOver) {
        const asked = number % 4 > 1 ? {} : { method: 'POST', body: { title: 'load' } };
        const answer = await services[number % 2]?.ask('/notes?limit=1', asked);
        answered += 1;
        if (!answer || answer.status >= 300) {
          failures.push(String(answer?.text));
        }
      }
    });
    await eventually('three changes, under load', async () => {
      passwords.add((await login()).password);
      return passwords.size > 3 && answered > 300;
    });
    isOver = true;
    await Promise.all(clients);
    await Promise.all(services.map(async (service) => service.stop()));
    assert.deepEqual(failures, []);
    // One for each password: whoever comes second finds it young.
    assert.equal(changes().length, passwords.size - 1);
    const said = JSON.stringify([logs, services.map((each) => each.logs)]);
    for (const password of passwords) {
      assert.ok(!said.includes(password), 'a password is in the logs');
    }
  });

  test('no statement has a password in it', async () => {
    await migrated();
    await database.changePassword('seen');
    await migrated();
    const statements = await database.log();
    assert.match(statements, /PASSWORD 'seen'/);
    assert.match(statements, /PASSWORD 'SCRAM-SHA-256\$/);
    assert.ok(!statements.includes((await login()).password));
  });
});
