import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { ofStatus, type ErrorBody } from './errors';
import {
  EXCHANGE_MS,
  PIPELINED_MAX,
  REQUEST_MS,
  REQUEST_WHILE_STOPPING_MS,
  UNSENT_BYTES_MAX,
} from './limits';

/** What a client that was told goodbye has to hang up itself. */
const HANG_UP_MS = 1_000;
const LOOK_EVERY_MS = 500;
/** When nobody has connected for so long, nobody is about to. */
const QUIET_MS = 100;
/** So that a service to which somebody keeps on connecting stops, too. */
const QUIET_WITHIN_MS = 1_000;

interface Connection {
  /** When the exchange began that is under way; `undefined`: none is. */
  beganMs: number | undefined;
  /** What had been read when there was none; more is the next request, on its way. */
  bytesRead: number;
  readonly answers: Set<ServerResponse>;
}

type State = 'arriving' | 'idle' | 'answering';

/**
 * The connections of a server. None is kept that only waits: a request has a time to arrive in and
 * to be answered in, and where there are too many, whoever has kept the server waiting longest makes
 * room. Node.js has limits of its own, but not in each version those that a stuck client meets.
 */
export class Connections {
  private readonly known = new Map<Socket, Connection>();
  private readonly leaving = new Set<Socket>();
  private accepted = 0;
  private waiting: (() => void)[] | undefined;
  private stoppingMs = Infinity;

  constructor(
    private readonly server: Server,
    private readonly connectionsMax: number,
  ) {
    server.requestTimeout = 0;
    server.headersTimeout = 0;
    server.on('connection', (socket) => this.connected(socket));
    server.on('request', (request, response) => this.requested(request, response));
    const looking = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
    server.once('close', () => clearInterval(looking));
  }

  /**
   * Handles a request: at once, or after the one before it on its connection was answered, so that
   * a connection costs the memory of one answer, however many it asks for.
   */
  admit({ socket }: IncomingMessage, handle: () => void): void {
    const before = [...(this.known.get(socket)?.answers ?? [])].pop();
    if (!before) {
      this.begin(handle);
      return;
    }
    before.once('close', () => {
      if (!socket.destroyed) {
        this.begin(handle);
      }
    });
  }

  /** At once, or after the listening socket was closed if that is under way. */
  private begin(handle: () => void): void {
    if (this.waiting) {
      this.waiting.push(handle);
    } else {
      handle();
    }
  }

  /**
   * Closes the listening socket. From then on each connection ends with its answer, and those
   * without a request at once.
   *
   * The kernel resets who stands in the queue of a socket that is closed, and cannot be told just to
   * let nobody in any more. But who waits for an answer does not connect again: so requests wait
   * until nobody has connected for a while.
   */
  async stop(): Promise<void> {
    this.waiting ??= [];
    await this.nobodyConnects(() => sleep(QUIET_MS));
    // If they go on, at least those who stand in the queue are let in: a turn of the event loop
    // accepts one or more.
    await this.nobodyConnects(() => turn());
    this.server.close();
    this.stoppingMs = performance.now();
    for (const [socket, connection] of this.known) {
      if (state(socket, connection) === 'idle') {
        this.hangUp(socket);
      }
    }
    const waiting = this.waiting ?? [];
    this.waiting = undefined;
    waiting.forEach((handle) => handle());
  }

  /** Pauses until nobody has connected meanwhile. */
  private async nobodyConnects(pause: () => Promise<unknown>): Promise<void> {
    const deadlineMs = performance.now() + QUIET_WITHIN_MS;
    let before: number;
    do {
      before = this.accepted;
      await pause();
      await turn();
    } while (this.accepted !== before && performance.now() < deadlineMs);
  }

  /** Ends all that are left, and returns how many. */
  cut(): number {
    const left = [...this.known.keys()];
    left.forEach((socket) => socket.destroy());
    return left.length;
  }

  /** Answers where there is no request that the server could answer, and hangs up. */
  refuse(socket: Duplex, statusCode: number): void {
    this.hangUp(socket, socket.writable ? refusal(statusCode) : undefined);
  }

  private hangUp(socket: Duplex, lastWords?: string): void {
    if (socket.destroyed || this.leaving.has(socket as Socket)) {
      return;
    }
    this.leaving.add(socket as Socket);
    const late = setTimeout(() => socket.destroy(), HANG_UP_MS);
    socket.once('close', () => {
      clearTimeout(late);
      this.leaving.delete(socket as Socket);
    });
    socket.end(lastWords);
  }

  private connected(socket: Socket): void {
    this.accepted += 1;
    if (this.known.size >= this.connectionsMax && !this.makeRoom()) {
      socket.destroy();
      return;
    }
    this.known.set(socket, { beganMs: performance.now(), bytesRead: 0, answers: new Set() });
    socket.once('close', () => this.known.delete(socket));
  }

  private requested(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.known.get(socket);
    if (!connection) {
      return;
    }
    connection.beganMs ??= performance.now();
    connection.answers.add(response);
    if (connection.answers.size > PIPELINED_MAX) {
      socket.destroy();
    }
    response.once('close', () => {
      connection.answers.delete(response);
      const isOver = connection.answers.size === 0;
      connection.beganMs = isOver ? undefined : performance.now();
      connection.bytesRead = socket.bytesRead;
      if (isOver && this.stoppingMs < Infinity) {
        this.hangUp(socket);
      }
    });
  }

  /** Ends the connection that is least missed; false if all are being answered. */
  private makeRoom(): boolean {
    let longest: { socket: Socket; rank: number; sinceMs: number } | undefined;
    for (const [socket, connection] of this.known) {
      const rank = this.leaving.has(socket) ? 0 : RANKS[state(socket, connection)];
      const sinceMs = connection.beganMs ?? 0;
      if (!longest || rank < longest.rank || (rank === longest.rank && sinceMs < longest.sinceMs)) {
        longest = { socket, rank, sinceMs };
      }
    }
    if (!longest || longest.rank === RANKS.answering) {
      return false;
    }
    const { socket, rank } = longest;
    if (rank === RANKS.arriving && socket.writable && !hasAnswer(this.known.get(socket))) {
      socket.end(refusal(408));
    }
    this.known.delete(socket);
    socket.destroySoon();
    // What the client does not take is not waited for.
    setTimeout(() => socket.destroy(), HANG_UP_MS).unref();
    return true;
  }

  private look(): void {
    const nowMs = performance.now();
    for (const [socket, connection] of this.known) {
      if (connection.beganMs === undefined && socket.bytesRead > connection.bytesRead) {
        connection.beganMs = nowMs;
      }
      if (connection.beganMs === undefined || this.leaving.has(socket)) {
        continue;
      }
      const lastsMs = nowMs - connection.beganMs;
      const isArriving = state(socket, connection) === 'arriving';
      if (isArriving && (lastsMs > REQUEST_MS || this.isLateForStop(connection.beganMs, nowMs))) {
        if (hasAnswer(connection)) {
          socket.destroy();
        } else {
          this.refuse(socket, 408);
        }
      } else if (lastsMs > EXCHANGE_MS) {
        socket.destroy();
      }
    }
    this.endUntaken();
  }

  /** Ends those that have been slow to take an answer for longest, until memory holds the rest. */
  private endUntaken(): void {
    const untaken = [...this.known].filter(([socket]) => socket.writableLength > 0);
    untaken.sort(([, one], [, other]) => (one.beganMs ?? 0) - (other.beganMs ?? 0));
    let bytes = untaken.reduce((sum, [socket]) => sum + socket.writableLength, 0);
    for (const [socket] of untaken) {
      if (bytes <= UNSENT_BYTES_MAX) {
        return;
      }
      bytes -= socket.writableLength;
      socket.destroy();
    }
  }

  private isLateForStop(beganMs: number, nowMs: number): boolean {
    return nowMs - Math.max(beganMs, this.stoppingMs) > REQUEST_WHILE_STOPPING_MS;
  }
}

/** Who makes room first: who is slow, then who may come back on another connection. */
const RANKS: Readonly<Record<State, number>> = { arriving: 1, idle: 2, answering: 3 };

function state(socket: Socket, { beganMs, bytesRead, answers }: Connection): State {
  if (answers.size === 0) {
    return beganMs === undefined && socket.bytesRead === bytesRead ? 'idle' : 'arriving';
  }
  return [...answers].every(({ req }) => req.complete) ? 'answering' : 'arriving';
}

function hasAnswer(connection: Connection | undefined): boolean {
  return [...(connection?.answers ?? [])].some(({ headersSent }) => headersSent);
}

function refusal(statusCode: number): string {
  const body: ErrorBody = { error: ofStatus(statusCode) };
  const text = JSON.stringify(body);
  return (
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
    `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`
  );
}
