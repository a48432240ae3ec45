import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { end, eventually, freePort, MAIN, NODE, started, type Variables } from './programs';

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
