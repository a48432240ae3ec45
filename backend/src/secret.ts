import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { randomUUID } from 'node:crypto';
import { DatabaseUnavailableError } from './database-errors';

/** A version of the secret: a login. */
export interface SecretVersion {
  readonly id: string;
  readonly createdAt: Date;
  readonly user: string;
  readonly password: string;
}

export type Stage = 'AWSCURRENT' | 'AWSPENDING';

/**
 * A secret of Secrets Manager: JSON with `username` and `password`.
 *
 * While it is rotated, the database has the new password before the secret's label AWSCURRENT moves
 * to it; until then it is found under AWSPENDING.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export class Secret {
  private readonly client = new SecretsManagerClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000 },
  });

  constructor(private readonly arn: string) {}

  /** Throws DatabaseUnavailableError if there is no such version, or no login in it. */
  async read(stage: Stage): Promise<SecretVersion> {
    const version = await this.find(stage);
    if (!version) {
      throw new DatabaseUnavailableError('the secret has no username and password');
    }
    return version;
  }

  /** `undefined` if there is no such version, or no login in it. */
  async find(stage: Stage): Promise<SecretVersion | undefined> {
    const command = new GetSecretValueCommand({ SecretId: this.arn, VersionStage: stage });
    const found = await this.client.send(command).catch((error: unknown) => {
      if ((error as Error).name === 'ResourceNotFoundException') {
        return undefined;
      }
      throw error;
    });
    const { username: user, password } = parse(found?.SecretString);
    if (typeof user !== 'string' || typeof password !== 'string') {
      return undefined;
    }
    const { VersionId: id = '', CreatedDate: createdAt = new Date() } = found ?? {};
    return { id, createdAt, user, password };
  }

  /** Returns the id of the new version. */
  async put(stage: Stage, login: { user: string; password: string }): Promise<string> {
    const id = randomUUID();
    await this.client.send(
      new PutSecretValueCommand({
        SecretId: this.arn,
        ClientRequestToken: id,
        SecretString: JSON.stringify({ username: login.user, password: login.password }),
        VersionStages: [stage],
      }),
    );
    return id;
  }

  /** Moves AWSCURRENT to another version. */
  async makeCurrent(id: string, before: SecretVersion | undefined): Promise<void> {
    await this.client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: this.arn,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: id,
        ...(before && { RemoveFromVersionId: before.id }),
      }),
    );
  }
}

function parse(text: string | undefined): { username?: unknown; password?: unknown } {
  try {
    return Object(JSON.parse(text ?? '{}')) as { username?: unknown; password?: unknown };
  } catch {
    // The parser's own message would quote the secret.
    return {};
  }
}
