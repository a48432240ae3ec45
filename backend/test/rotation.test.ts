import assert from 'node:assert/strict';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedAws } from './support/embedded-aws';
import { PostgreSql, secretText } from './support/postgresql';
import { eventually } from './support/programs';
import { Service } from './support/service';

const PASSWORDS = ['second-password', 'third-password', 'fourth-password'] as const;

describe('password rotation', { skip: EmbeddedAws.missing() ?? false }, () => {
  let database: PostgreSql;
  let aws: EmbeddedAws;
  let secrets: SecretsManagerClient;
  let arn: string;
  let service: Service;

  before(async () => {
    [database, aws] = await Promise.all([PostgreSql.start(), EmbeddedAws.start()]);
    secrets = aws.secrets();
  });
  beforeEach(async () => {
    const created = await secrets.send(
      new CreateSecretCommand({
        Name: `rds!${randomUUID()}`,
        SecretString: secretText(database.password),
      }),
    );
    arn = String(created.ARN);
    service = await Service.start({
      ...database.place(),
      ...aws.variables(),
      DB_SECRET_ARN: arn,
      // Connections are made all the time, so that some meet each moment of a rotation.
      DB_CONNECTION_LIFETIME_SECONDS: '1',
      DB_CONNECTIONS_MAX: '4',
    });
  });
  afterEach(async () => {
    await service?.kill();
    const logs = JSON.stringify(service?.logs);
    for (const password of ['first-p', ...PASSWORDS]) {
      assert.ok(!logs.includes(password), 'a password is in the logs');
    }
  });
  after(async () => {
    await aws?.stop();
    await database?.remove();
  });

  /** Asks for notes all the time while `change` is made; returns what went wrong. */
  async function failuresUnderLoad(change: () => Promise<void>): Promise<string[]> {
    const failures: string[] = [];
    let isOver = false;
    let answered = 0;
    const clients = Array.from({ length: 8 }, async (_, number) => {
      while (!isOver) {
        const asked = number % 2 ? {} : { method: 'POST', body: { title: 'load' } };
        const answer = await service.ask('/notes?limit=1', asked);
        answered += 1;
        if (answer.status >= 300) {
          failures.push(answer.text);
        }
      }
    });
    await change();
    const before = answered;
    await sleep(1_500);
    await eventually('requests were answered after it', () => answered - before > 100);
    isOver = true;
    await Promise.all(clients);
    return failures;
  }

  const refusals = () => service.logs.filter(({ msg }) => String(msg).includes('refused')).length;

  test('a rotation under load loses no request, in the order that RDS changes things', async () => {
    for (const password of PASSWORDS.slice(0, 2)) {
      const before = refusals();
      const failures = await failuresUnderLoad(async () => {
        const { VersionId: pending } = await secrets.send(
          new PutSecretValueCommand({
            SecretId: arn,
            SecretString: secretText(password),
            VersionStages: ['AWSPENDING'],
          }),
        );
        await database.changePassword(password);
        // The secret's label moves only after the new password was tried.
        await eventually('a connection was refused', () => refusals() > before);
        await sleep(1_000);
        await secrets.send(
          new UpdateSecretVersionStageCommand({
            SecretId: arn,
            VersionStage: 'AWSCURRENT',
            MoveToVersionId: pending,
            RemoveFromVersionId: await currentVersion(),
          }),
        );
      });
      assert.deepEqual(failures, []);
    }
  });

  test('a password that is in the database before it is in the secret loses no request', async () => {
    const before = refusals();
    const failures = await failuresUnderLoad(async () => {
      await database.changePassword(PASSWORDS[2]);
      await eventually('a connection was refused', () => refusals() > before);
      await sleep(1_500);
      await secrets.send(
        new PutSecretValueCommand({
          SecretId: arn,
          SecretString: secretText(PASSWORDS[2]),
          VersionStages: ['AWSCURRENT'],
        }),
      );
    });
    assert.deepEqual(failures, []);
  });

  async function currentVersion(): Promise<string> {
    const value = await secrets.send(
      new GetSecretValueCommand({ SecretId: arn, VersionStage: 'AWSCURRENT' }),
    );
    return String(value.VersionId);
  }
});
