import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { PostgreSql } from './support/postgresql';
import { Service } from './support/service';

const run = promisify(execFile);

// An address of loopback that the service does not take for its own machine.
const ELSEWHERE = '127.0.0.2';
const LISTEN = `listen_addresses=127.0.0.1,${ELSEWHERE}`;

async function whyNot(): Promise<string | false> {
  if (process.platform !== 'linux') {
    return 'only Linux has more than one address of loopback';
  }
  return run('openssl', ['version']).then(
    () => false,
    () => 'openssl, which makes the certificates, is not installed',
  );
}

async function main(): Promise<void> {
  const skip = await whyNot();
  describe('TLS to the database', { skip }, () => {
    let folder: string;
    let database: PostgreSql;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'prod-e-tls-'));
      await run(
        'openssl',
        [
          ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
          ...['-subj', '/CN=localhost', '-addext', `subjectAltName=IP:${ELSEWHERE},DNS:localhost`],
          ...['-keyout', 'server.key', '-out', 'server.crt'],
        ],
        { cwd: folder },
      );
      database = await PostgreSql.start({
        settings: ['ssl=on', LISTEN],
        files: {
          'server.key': await readFile(join(folder, 'server.key'), 'utf8'),
          'server.crt': await readFile(join(folder, 'server.crt'), 'utf8'),
        },
      });
    });
    after(async () => {
      await database?.remove();
      await rm(folder, { recursive: true, force: true });
    });

    test('a database elsewhere is reached over TLS', async () => {
      const service = await Service.start({
        ...database.variables(),
        DB_HOST: ELSEWHERE,
        DB_CA_FILE: join(folder, 'server.crt'),
      });
      const { rows } = await database.query<{ ssl: boolean }>(
        `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'prod-e-backend'`,
      );
      await service.stop();
      assert.ok(rows.length > 0);
      assert.ok(rows.every(({ ssl }) => ssl));
    });

    test("a certificate that is not of the RDS authorities' is not trusted", async () => {
      const service = await Service.launch({ ...database.variables(), DB_HOST: ELSEWHERE });
      const health = await service.untilHealth(503);
      await service.kill();
      assert.equal(health.body.reason, 'the certificate of the database is not to be trusted');
    });

    test('a file without certificates is a mistake', async () => {
      await writeFile(join(folder, 'empty.pem'), '');
      const service = await Service.launch({
        ...database.variables(),
        DB_CA_FILE: join(folder, 'empty.pem'),
      });
      assert.equal(await service.exited, 1);
      assert.match(String(service.logs[0]?.['msg']), /^DB_CA_FILE: .* is not a readable file/);
    });
  });

  test('a database elsewhere that does not speak TLS gets no login', { skip }, async () => {
    const database = await PostgreSql.start({ settings: [LISTEN] });
    const service = await Service.launch({ ...database.variables(), DB_HOST: ELSEWHERE });
    const health = await service.untilHealth(503);
    await service.kill();
    await database.remove();
    assert.equal(health.body.reason, 'the database does not speak TLS');
  });
}

void main();
