import { performance } from 'node:perf_hooks';
import type { Login } from './configuration';
import { Secret } from './secret';

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

/** That of a secret; also while the secret is rotated. */
class SecretLogin implements LoginSource {
  private readonly secret: Secret;
  private known: UserAndPassword | undefined;
  private readAtMs = 0;
  private reading: Promise<UserAndPassword> | undefined;

  constructor(arn: string) {
    this.secret = new Secret(arn);
  }

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
    let next = await this.secret.read('AWSCURRENT');
    if (before && next.password === before.password && next.user === before.user) {
      next = (await this.secret.find('AWSPENDING')) ?? next;
    }
    this.readAtMs = performance.now();
    const { user, password } = next;
    this.known = { user, password, generation: (before?.generation ?? 0) + 1 };
    return this.known;
  }
}
