import { performance } from 'node:perf_hooks';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DatabaseUnavailableError } from './database-errors';
import type { Login } from './configuration';

/** Every request may find the password wrong: Secrets Manager is asked for all of them together. */
const READ_AGAIN_AFTER_MS = 200;

/** A name and a password, and how many were known before. */
export interface UserAndPassword {
  readonly user: string;
  readonly password: string;
  readonly generation: number;
}

/** The database's login, read again when the database refuses what was read before. */
export interface LoginSource {
  /** What was read last; read now if nothing was. */
  current(): Promise<UserAndPassword>;
  /** Reads again, once for all who ask at the same time. Returns whether that can change a thing. */
  refused(login: UserAndPassword): Promise<boolean>;
}

export function loginSource(login: Login): LoginSource {
  return login.kind === 'secret' ? new SecretLogin(login.arn) : new FixedLogin(login);
}

class FixedLogin implements LoginSource {
  private readonly login: UserAndPassword;

  constructor({ user, password }: { user: string; password: string }) {
    this.login = { user, password, generation: 0 };
  }

  async current(): Promise<UserAndPassword> {
    return this.login;
  }

  async refused(): Promise<boolean> {
    return false;
  }
}

/**
 * A secret of Secrets Manager: JSON with `username` and `password`.
 *
 * While it is rotated, the database has the new password before the secret's label AWSCURRENT moves
 * to it; until then it is found under AWSPENDING.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
class SecretLogin implements LoginSource {
  private readonly secrets = new SecretsManagerClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000 },
  });
  private known: UserAndPassword | undefined;
  private readAtMs = 0;
  private reading: Promise<UserAndPassword> | undefined;

  constructor(private readonly arn: string) {}

  async current(): Promise<UserAndPassword> {
    return this.known ?? this.read();
  }

  async refused(login: UserAndPassword): Promise<boolean> {
    const isNew = this.known?.generation !== login.generation;
    if (!isNew && performance.now() - this.readAtMs > READ_AGAIN_AFTER_MS) {
      await this.read();
    }
    return true;
  }

  private read(): Promise<UserAndPassword> {
    this.reading ??= this.readNext().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async readNext(): Promise<UserAndPassword> {
    const before = this.known;
    let next = await this.readVersion('AWSCURRENT');
    if (before && next.password === before.password && next.user === before.user) {
      next = await this.readVersion('AWSPENDING').catch((error: unknown) => {
        if ((error as Error).name === 'ResourceNotFoundException') {
          return next;
        }
        throw error;
      });
    }
    this.readAtMs = performance.now();
    this.known = { ...next, generation: (before?.generation ?? 0) + 1 };
    return this.known;
  }

  private async readVersion(stage: string): Promise<{ user: string; password: string }> {
    const command = new GetSecretValueCommand({ SecretId: this.arn, VersionStage: stage });
    const { SecretString: text } = await this.secrets.send(command);
    const { username: user, password } = parse(text);
    if (typeof user !== 'string' || typeof password !== 'string') {
      throw new DatabaseUnavailableError('the secret has no username and password');
    }
    return { user, password };
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
