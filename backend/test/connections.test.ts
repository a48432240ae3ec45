import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Connections } from '../src/connections';
import { CONNECTIONS_MAX, EXCHANGE_MS, PIPELINED_MAX, UNSENT_BYTES_MAX } from '../src/limits';
import { PostgreSql } from './support/postgresql';
import { eventually } from './support/programs';
import { ask, Service } from './support/service';

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
const HEAD = 'POST /notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

const HALF_A_BODY = `${HEAD}content-length: 100\r\n\r\n{`;

/** What a client sends before it goes on no more: at once, and after an answer. */
const STUCK: [string, string, string][] = [
  ['nothing', '', ''],
  ['half a head', 'GET / HTTP/1.1\r\nhost:', ''],
  ['half a body', HALF_A_BODY, ''],
  ['half a chunk', `${HEAD}transfer-encoding: chunked\r\n\r\n64\r\n{`, ''],
  ['a request, and half of the next', GET, 'GET / HT'],
];

describe('connections', () => {
  let database: PostgreSql;
  let service: Service;
  const sockets: Socket[] = [];

  before(async () => {
    database = await PostgreSql.start();
    service = await Service.start(database.variables());
  });
  after(async () => {
    sockets.forEach((socket) => socket.destroy());
    assert.equal(await service.stop(), 0);
    await database.remove();
    assert.deepEqual(
      service.logs.filter(({ level }) => level === 'error' || level === 'fatal'),
      [],
    );
  });

  // Each waits for the same ten seconds.
  describe('who goes on no more', { concurrency: STUCK.length + 1 }, () => {
    for (const [what, sent, next] of STUCK) {
      test(`who sends ${what} is hung up on`, async () => {
        const socket = await service.connectAndSend(sent);
        sockets.push(socket);
        if (next) {
          socket.once('data', () => socket.write(next));
        }
        let text = '';
        socket.on('data', (data) => (text += data.toString()));
        await once(socket, 'end');
        assert.match(text, /HTTP\/1\.1 408 .*"code":"request_timeout"/s);
      });
    }

    test('who does not hang up after a refusal is cut', async () => {
      const socket = await service.connectAndSend(HALF_A_BODY);
      sockets.push(socket);
      // Only a connection that is gone does not take what is written to it.
      await eventually('an error', () => {
        socket.write(' ');
        return socket.destroyed;
      });
    });
  });

  for (const [what, sent] of STUCK) {
    test(`any number of clients that send ${what} leave room for others`, async () => {
      for (let count = 0; count < CONNECTIONS_MAX + 100; count += 50) {
        const more = Array.from({ length: 50 }, async () => service.connectAndSend(sent));
        sockets.push(...(await Promise.all(more)));
      }
      for (let count = 0; count < 20; count += 1) {
        const answer = await service.ask('/notes', { method: 'POST', body: { title: 'x' } });
        assert.equal(answer.status, 201, answer.text);
      }
      assert.equal((await service.ask('/health')).body.status, 'ok');
    });
  }

  test('requests of one connection are handled one after the other', async () => {
    const post = (title: string) => `${HEAD}content-length: 13\r\n\r\n{"title":"${title}"}`;
    const get = 'GET /notes?limit=1 HTTP/1.1\r\nhost: x\r\n';
    for (let count = 0; count < 20; count += 1) {
      const title = String.fromCharCode('a'.charCodeAt(0) + count);
      const answers = await service.askRaw(`${post(title)}${get}connection: close\r\n\r\n`);
      assert.match(
        answers,
        new RegExp(`201 Created.*200 OK.*"items":\\[.{0,60}"title":"${title}"`, 's'),
      );
    }
  });

  test('a connection with too many requests at once is cut', async () => {
    assert.equal(await service.askRaw(GET.repeat(PIPELINED_MAX + 1)), '');
  });

  test('metrics are there after any number of stuck clients, too', async () => {
    for (let count = 0; count < 200; count += 1) {
      sockets.push(await service.connectAndSend('GET', service.metricsPort));
    }
    assert.equal((await ask(service.metricsPort, '/metrics')).status, 200);
  });
});

test('clients that do not take their answers are cut before these fill the memory', async () => {
  const answer = Buffer.alloc(UNSENT_BYTES_MAX / 5);
  let left = 8;
  const server = createServer((request, response) => {
    request.socket.once('close', () => (left -= 1));
    response.end(answer);
  });
  new Connections(server, CONNECTIONS_MAX);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: left }, () => connect(port, '127.0.0.1').pause());
  clients.forEach((client) => client.on('error', () => {}).write(GET));
  try {
    const isOneCut = () => left < clients.length;
    await eventually('one is cut, sooner than each would be', isOneCut, EXCHANGE_MS * 0.9);
    assert.ok(left >= 4, 'those whose answers memory holds are not cut');
  } finally {
    clients.forEach((client) => client.destroy());
    server.close();
  }
});
