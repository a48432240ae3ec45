import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, afterEach, before, describe, test } from 'node:test';
import { PostgreSql } from './support/postgresql';
import { Service, type Answer } from './support/service';

const ID = '00000000-0000-4000-8000-000000000000';
const RUNS = { numRuns: 250, endOnFailure: true };

/** A refusal in the one shape of errors. */
function assertRefused(answer: Answer, status?: number): void {
  assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
  if (status !== undefined) {
    assert.equal(answer.status, status, answer.text);
  }
  assertShape(answer);
}

function assertShape({ body, text }: Answer): void {
  assert.deepEqual(Object.keys(body), ['error'], text);
  const { code, message, requestId, details, ...rest } = body.error;
  assert.match(code, /^[a-z_]+$/);
  assert.equal(typeof message, 'string');
  assert.equal(typeof requestId, 'string');
  assert.ok(details === undefined || details.length > 0);
  assert.deepEqual(rest, {});
}

describe('bad input', () => {
  let database: PostgreSql;
  let service: Service;

  before(async () => {
    database = await PostgreSql.start();
    service = await Service.start(database.variables());
  });
  afterEach(async () => {
    assert.equal((await service.ask('/health')).status, 200);
  });
  after(async () => {
    assert.equal(await service.stop(), 0);
    await database.remove();
    const failures = service.logs.filter(({ level }) => level === 'error' || level === 'fatal');
    assert.deepEqual(failures, []);
  });

  const post = async (body: unknown, headers = {}) =>
    service.ask('/notes', { method: 'POST', body, headers });

  const wrongNotes: [string, unknown][] = [
    ['no title', {}],
    ['an empty title', { title: '' }],
    ['a title that is too long', { title: 'x'.repeat(201) }],
    ['a text that is too long', { title: 'x', body: 'x'.repeat(10_001) }],
    ['a number for a title', { title: 1 }],
    ['null for a title', { title: null }],
    ['a list for a title', { title: ['x'] }],
    ['an unknown property', { title: 'x', id: ID }],
    ['a character that PostgreSQL cannot keep', { title: 'a\u0000b' }],
    ['half a surrogate pair', '{"title":"\\ud800"}'],
    ['a list', [{ title: 'x' }]],
    ['text', '"title"'],
    ['null', 'null'],
    ['nothing', ''],
    ['what is not JSON', '{"title":'],
    ['a prototype', '{"title":"x","__proto__":{"admin":true}}'],
    ['a constructor', '{"title":"x","constructor":{"prototype":{"admin":true}}}'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['lists a thousand deep', '['.repeat(1_000) + ']'.repeat(1_000)],
  ];
  for (const [what, body] of wrongNotes) {
    test(`a note of ${what} is refused`, async () => {
      assertRefused(await post(body), 400);
    });
  }

  test('a body that is too large is refused', async () => {
    assertRefused(await post({ title: 'x', body: 'x'.repeat(5_000_000) }), 413);
  });

  test('a body of another type is refused', async () => {
    for (const type of [
      ...[
        'text/plain',
        'application/x-www-form-urlencoded',
        'a/b',
        'nonsense',
        'application/jsonx',
      ],
      ...['application/json-patch+json', 'application/json/x', 'application/json x', 'json'],
    ]) {
      assertRefused(await post({ title: 'x' }, { 'content-type': type }), 415);
    }
    for (const type of ['application/json;charset=utf-8', 'Application/JSON ; charset=utf-8']) {
      assert.equal((await post({ title: 'x' }, { 'content-type': type })).status, 201);
    }
  });

  test('a refusal is never longer than what was refused', async () => {
    const names = Array.from({ length: 6_000 }, (_, number) => [`k${number}`, 1]);
    const body = JSON.stringify(Object.fromEntries([['title', 'x'], ...names]));
    const many = await post(body);
    assertRefused(many, 400);
    assert.ok(body.length > 50_000 && many.text.length < 2_000, `${many.text.length} bytes`);
    assert.deepEqual(many.body.error.details.slice(-2), [
      { at: 'body/k19', message: 'is not known' },
      { at: 'body', message: 'has 5980 more mistakes' },
    ]);
    const long = await post({ title: 'x', ['k'.repeat(60_000)]: 1 });
    assertRefused(long, 400);
    assert.ok(long.text.length < 1_000, `${long.text.length} bytes`);
  });

  test('an id that is none, and one of nothing', async () => {
    const wrong = [
      ...['1', 'null', "' OR 1=1", '%00', '%f0%9f%92%a9', 'x'.repeat(90)],
      ...[`urn:uuid:${ID}`, `URN:UUID:${ID}`, `{${ID}}`, ID.replace(/-/g, ''), `${ID}\n`, ` ${ID}`],
    ];
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      const asked = { method, ...(method === 'PATCH' && { body: { title: 'x' } }) };
      for (const id of wrong) {
        assertRefused(await service.ask(`/notes/${encodeURI(id)}`, asked), 400);
      }
      assertRefused(await service.ask(`/notes/${ID}`, asked), 404);
    }
    assertRefused(await service.ask(`/notes/${ID}`, { method: 'PATCH', body: {} }), 400);
  });

  test('a page that is none', async () => {
    for (const query of [
      ...['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=x', 'limit=1&limit=2', 'limit='],
      ...['limit=Infinity', 'limit=-Infinity', 'limit=1e999', `limit=${'9'.repeat(400)}`],
      ...[
        'after=x',
        'after=-1',
        `after=${'9'.repeat(30)}`,
        'after=1;DROP',
        'unknown=1',
        'limit[a]=1',
      ],
    ]) {
      assertRefused(await service.ask(`/notes?${query}`), 400);
    }
  });

  test('an address or a method that there is not', async () => {
    assertRefused(await service.ask('/nothing'), 404);
    for (const method of ['GET', 'SEARCH', 'PURGE', 'SUBSCRIBE', 'ACL']) {
      for (const address of ['/%', '/notes/%F0%9F', `/notes/${ID}/%`]) {
        const answer = await service.ask(address, { method, body: {} });
        assertRefused(answer, method === 'GET' || method === 'SEARCH' ? 400 : 404);
      }
    }
    for (const [address, method, allow] of [
      ['/', 'POST', 'GET, HEAD'],
      ['/health', 'DELETE', 'GET, HEAD'],
      ['/notes', 'PUT', 'GET, HEAD, POST'],
      ['/notes', 'OPTIONS', 'GET, HEAD, POST'],
      [`/notes/${ID}`, 'POST', 'DELETE, GET, HEAD, PATCH'],
    ] as const) {
      const answer = await service.ask(address, { method });
      assertRefused(answer, 405);
      assert.equal(answer.headers.allow, allow);
    }
  });

  test('a method that the framework does not know is refused, and not logged as a fault', async () => {
    // As one that there is not, by versions of Node.js that do not know it either.
    assert.match(
      await service.askRaw('QUERY / HTTP/1.1\r\nhost: x\r\n\r\n'),
      /^HTTP\/1\.1 40[05] /,
    );
    assert.deepEqual(
      service.logs.filter(({ msg }) => /framework|fastify/i.test(String(msg))),
      [],
    );
  });

  test('what is not HTTP is refused in the same shape', async () => {
    for (const [sent, status] of [
      ['nonsense\r\n\r\n', 400],
      ['GET / HTTP/9.9\r\n\r\n', 400],
      ['GET / HTTP/2.0\r\nhost: x\r\n\r\n', 400],
      ['GET / HTTP/0.9\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
      ['CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', 405],
      ['GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n', 417],
    ] as const) {
      const answer = await service.askRaw(sent);
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
      const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
      assert.deepEqual(Object.keys(error), ['code', 'message']);
    }
  });

  test('what is accepted comes back as it was', async () => {
    const text = (maxLength: number) =>
      fc.string({ unit: 'binary', minLength: 1, maxLength }).filter((value) => !/\0/.test(value));
    await fc.assert(
      fc.asyncProperty(text(100), text(300), async (title, body) => {
        const created = await post({ title, body });
        assert.equal(created.status, 201, created.text);
        const read = await service.ask(`/notes/${created.body.id}`);
        assert.deepEqual([read.body.title, read.body.body], [title, body]);
      }),
      RUNS,
    );
  });
});
