import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MAIN, NODE, started, type Variables } from './programs';

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
