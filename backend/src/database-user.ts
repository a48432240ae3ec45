/** The service's own user of PostgreSQL: made by the master user, its password changed by itself. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { escapeIdentifier, type ClientBase } from 'pg';
import type { Logger } from 'pino';
import type { DatabaseConfiguration, Login } from './configuration';
import { Database } from './database';
import { isLoginRefused } from './database-errors';
import { STATEMENT_MS } from './limits';
import { Secret } from './secret';

/** Any number that nothing else in this database locks. */
const LOCK = 7_306_101;

/** How often the age of the password is looked at. */
const LOOK_EVERY_MS = 3_600_000;

/** Another task may hold the lock, and ask Secrets Manager and the database a few times. */
const LOCK_MS = 60_000;

/**
 * Makes the user if there is none, and has the database accept the password that is kept for it:
 * the one in the secret, or a new one where that has none. Tasks that start at the same time wait
 * for each other; what another left half done is finished.
 */
export async function ensureUser(
  master: Database,
  {
    configuration,
    user,
    kept,
  }: { configuration: DatabaseConfiguration; user: string; kept: Login },
  logger: Logger,
): Promise<void> {
  await master.session(LOCK_MS, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [user]);
    if (rowCount === 0) {
      await client.query(`CREATE ROLE ${escapeIdentifier(user)} LOGIN`);
      logger.info({ user }, 'made the user');
    }
    await client.query(
      `GRANT CONNECT ON DATABASE ${escapeIdentifier(configuration.name)} TO ${escapeIdentifier(user)}`,
    );
    const accepts = async (password: string) =>
      isAccepted({ ...configuration, login: { kind: 'password', user, password } }, logger);
    if (kept.kind === 'password') {
      if (!(await accepts(kept.password))) {
        await setPassword(client, user, kept.password);
      }
      return;
    }
    const secret = new Secret(kept.arn);
    const [current, pending] = [await secret.find('AWSCURRENT'), await secret.find('AWSPENDING')];
    if (current?.user === user && (await accepts(current.password))) {
      return;
    }
    if (pending?.user === user && (await accepts(pending.password))) {
      await secret.makeCurrent(pending.id, current);
      return;
    }
    let password = current?.user === user ? current.password : undefined;
    if (password === undefined) {
      password = newPassword();
      await secret.put('AWSCURRENT', { user, password });
    }
    await setPassword(client, user, password);
    logger.info({ user }, "set the user's password");
  });
}

/**
 * Changes the service's own password if it is older than `lifetimeSeconds`; returns whether it did.
 * The secret has the new one before the database does, under AWSPENDING, and all tasks look there
 * once the old one is refused.
 */
export async function changePasswordIfOld(
  database: Database,
  { arn, lifetimeSeconds }: { arn: string; lifetimeSeconds: number },
): Promise<boolean> {
  const secret = new Secret(arn);
  const isOld = ({ createdAt }: { createdAt: Date }) =>
    Date.now() - createdAt.getTime() >= 1_000 * lifetimeSeconds;
  if (!isOld(await secret.read('AWSCURRENT'))) {
    return false;
  }
  let isChanged = false;
  await database.session(LOCK_MS, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const current = await secret.read('AWSCURRENT');
    // Another task may have been faster.
    if (!isOld(current)) {
      return;
    }
    const password = newPassword();
    const id = await secret.put('AWSPENDING', { user: current.user, password });
    await setPassword(client, current.user, password);
    await secret.makeCurrent(id, current);
    isChanged = true;
  });
  return isChanged;
}

/** Changes the password whenever it is old, for as long as the service runs. */
export function keepPasswordYoung(
  database: Database,
  login: Login | undefined,
  logger: Logger,
): void {
  if (login?.kind !== 'secret' || login.lifetimeSeconds === 0) {
    return;
  }
  const { arn, lifetimeSeconds } = login;
  const look = () => {
    changePasswordIfOld(database, { arn, lifetimeSeconds }).then(
      (isChanged) => isChanged && logger.info('changed the password, which was old'),
      (error: unknown) => logger.warn({ err: error }, 'the password could not be changed yet'),
    );
  };
  setInterval(look, Math.min(LOOK_EVERY_MS, 500 * lifetimeSeconds)).unref();
}

async function isAccepted(configuration: DatabaseConfiguration, logger: Logger): Promise<boolean> {
  const database = new Database(configuration, logger);
  try {
    await database.session(STATEMENT_MS, async () => {});
    return true;
  } catch (error) {
    if (isLoginRefused((error as Error).cause ?? error)) {
      return false;
    }
    throw error;
  } finally {
    await database.close();
  }
}

async function setPassword(client: ClientBase, user: string, password: string): Promise<void> {
  // Letters, digits and what base64 has: nothing of it needs escaping.
  await client.query(`ALTER ROLE ${escapeIdentifier(user)} PASSWORD '${verifier(password)}'`);
}

function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

/**
 * What PostgreSQL keeps of a password. Sent in its place, so that no log of statements has it.
 * https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
function verifier(password: string): string {
  const [salt, iterations] = [randomBytes(16), 4_096];
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  const server = keyed('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}
