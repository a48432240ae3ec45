import { execFile, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** `backend/`; the compiled tests lie in `.cache/test`. */
export const BACKEND = resolve(__dirname, '../../../..');
export const MAIN = join(BACKEND, '.cache/test/src/main.js');

/** What runs the service. Its oldest version has no runner that could run these tests. */
export const NODE = process.env['SERVICE_NODE'] || process.execPath;

export async function nodeVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)(NODE, ['--version']);
  return stdout.trim();
}

/** Processes that a failed test may leave behind, which would keep the run from ending. */
export const started = new Set<ChildProcess>();
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
export async function end(
  child: ChildProcess,
  signal: NodeJS.Signals,
): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }
  return child.exitCode ?? child.signalCode;
}
