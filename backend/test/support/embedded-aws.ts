import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BACKEND, started, type Variables } from './programs';

const PYTHON = join(BACKEND, '../.venv/bin/python');

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
