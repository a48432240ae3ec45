import assert from 'node:assert/strict';
import fc from 'fast-check';
import { METHODS } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { PostgreSql } from './support/postgresql';
import { ask, Service } from './support/service';

// 4 times 100 runs of 10 requests. A failure prints its seed and the path to its smallest case:
// FUZZ_SEED=… FUZZ_PATH=… repeats just that.
const { FUZZ_SEED, FUZZ_PATH, FUZZ_RUNS } = process.env;
const RUNS = {
  numRuns: Number(FUZZ_RUNS ?? 100),
  seed: Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31)),
  ...(FUZZ_PATH !== undefined && { path: FUZZ_PATH }),
  interruptAfterTimeLimit: 240_000,
  markInterruptAsFailure: true,
  includeErrorInReport: true,
};
const REQUESTS_AT_ONCE = 10;

const ID = '00000000-0000-4000-8000-000000000000';

/** What has broken parsers, validators and databases elsewhere. */
const HOSTILE = [
  ...['', ' ', '\0', '%00', '%', '%zz', '%c0%af', '%ed%a0%80', '..', '../..', '//', '\\', "'", '"'],
  ...['{}', '[]', 'null', 'undefined', 'NaN', 'Infinity', '-0', '1e999', '0x10', '9'.repeat(18)],
  ...['9'.repeat(19), '-9223372036854775809', "' OR 1=1--", '${7*7}', '{{7*7}}', '$1', '\ud800'],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'then',
    '\u202e',
    '💩',
  ],
  ...[ID, ID.toUpperCase(), `urn:uuid:${ID}`, `{${ID}}`, ID.replace(/-/g, ''), `${ID}0`, `${ID}\n`],
  ...[
    'x'.repeat(101),
    'a'.repeat(5_000),
    'é'.repeat(200),
    '\r\n',
    '\u2028',
    'ﷺ'.repeat(50),
    '%F0%9F',
  ],
];

const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.uuid(),
  fc.nat().map(String),
);
const inAddress = fc.oneof(
  hostile.map((text) => encodeURIComponent(wellFormed(text))),
  // As it is, as far as a client may send it.
  hostile.map((text) => text.replace(/[^!-~]/g, '')),
);
const path = fc.oneof(
  fc.constantFrom('/', '/health', '/notes', '/notes/', `/notes/${ID}`, '*', '/metrics'),
  inAddress.map((text) => `/${text}`),
  inAddress.map((id) => `/notes/${id}`),
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom('limit', 'after', 'limit[]'), inAddress), inAddress), {
      maxLength: 5,
    })
    .map((pairs) => `/notes?${pairs.map((pair) => pair.join('=')).join('&')}`),
  fc.webUrl({ withQueryParameters: true }),
);
const method = fc.oneof(
  fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
  fc.constantFrom(...METHODS.filter((name) => name !== 'CONNECT')),
);
const text = fc.oneof(hostile, fc.string({ unit: 'binary', maxLength: 300 }));
const value = fc.oneof(text, fc.jsonValue(), fc.constantFrom(1e308, -0, null, [], {}));
const body = fc.oneof(
  fc.constant(undefined),
  fc.record({ title: text, body: text }, { requiredKeys: ['title'] }).map(toJson),
  fc
    .dictionary(fc.oneof(fc.constantFrom('title', 'body'), text), value, { maxKeys: 30 })
    .map(toJson),
  fc.json(),
  hostile,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.nat({ max: 70_000 }).map((length) => `{"title":"${'x'.repeat(length)}`),
  fc.nat({ max: 5_000 }).map((depth) => `{"title":${'['.repeat(depth)}`),
);
const headerValue = hostile.map((part) => part.replace(/[^ -~]/g, ''));
const headers = fc.dictionary(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('content-type', 'accept', 'x-amzn-trace-id', 'host') },
    { weight: 1, arbitrary: fc.constantFrom('content-encoding', 'accept-encoding', 'range') },
    { weight: 1, arbitrary: fc.constantFrom('if-none-match', 'origin', 'cookie', 'upgrade') },
    { weight: 1, arbitrary: fc.constantFrom('x-forwarded-for', 'x-http-method-override', 'te') },
    { weight: 1, arbitrary: fc.stringMatching(/^x-[a-z]{1,10}$/) },
  ),
  fc.oneof(headerValue, fc.constantFrom('application/json', 'gzip', 'bytes=0-', 'h2c', 'chunked')),
  { maxKeys: 4 },
);

// --- Bytes that no client of HTTP would send ------------------------------------------------------

const END = '\r\n';
const rawLine = fc.oneof(
  fc.tuple(method, path, fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9', 'HTTP/2.0', '', 'x')),
  fc.tuple(fc.constantFrom('CONNECT', 'PRI', 'get', 'G\0T', ''), hostile, fc.constant('HTTP/1.1')),
);
const rawHeader = fc.oneof(
  fc.tuple(
    fc.constantFrom('content-length'),
    fc.constantFrom('0', '5', '-1', '5, 6', '1e3', '', '+5'),
  ),
  fc.tuple(fc.constantFrom('transfer-encoding'), fc.constantFrom('chunked', 'gzip', 'x, chunked')),
  fc.tuple(
    fc.constantFrom('expect', 'upgrade', 'connection'),
    fc.oneof(hostile, fc.constant('close')),
  ),
  fc.tuple(fc.constantFrom('content-type'), fc.constantFrom('application/json', '', ';', 'a/b;;')),
  fc.tuple(hostile, hostile),
);
const rawBody = fc.oneof(
  fc.constant(''),
  fc.constantFrom(
    '5\r\n{"a":\r\n0\r\n\r\n',
    'fffffffffffffffff\r\n',
    '5;x=\r\n12345\r\n',
    '-1\r\n\r\n',
  ),
  hostile,
  rawLine.map((parts) => parts.join(' ') + END + END),
);
const rawRequest = fc
  .record({
    line: rawLine,
    head: fc.array(rawHeader, { maxLength: 5 }),
    hasHost: fc.boolean(),
    rest: rawBody,
    cut: fc.option(fc.nat(200)),
    garbage: fc.option(fc.tuple(fc.nat(200), fc.uint8Array({ minLength: 1, maxLength: 4 }))),
  })
  .map(({ line, head, hasHost, rest, cut, garbage }) => {
    const lines = [
      line.join(' '),
      ...(hasHost ? ['host: x'] : []),
      ...head.map((h) => h.join(': ')),
    ];
    let bytes = Buffer.from(lines.join(END) + END + END + rest);
    if (garbage) {
      const [at, wrong] = garbage;
      bytes = Buffer.concat([bytes.subarray(0, at), wrong, bytes.subarray(at)]);
    }
    return cut === null ? bytes : bytes.subarray(0, cut);
  });

// --- The tests ------------------------------------------------------------------------------------

describe('whatever is sent', () => {
  let database: PostgreSql;
  let service: Service;

  before(async () => {
    database = await PostgreSql.start();
    service = await Service.start(database.variables());
    // So that pages, changes and deletions find something.
    await Promise.all(
      Array.from({ length: 30 }, async () =>
        service.ask('/notes', { method: 'POST', body: { title: 'x' } }),
      ),
    );
  });
  after(async () => {
    await service.stop();
    await database.remove();
  });

  /** The service is the same process as before, well, and had no fault of its own. */
  async function assertWell(): Promise<void> {
    assert.ok(service.isRunning, JSON.stringify(service.logs.slice(-3)));
    assert.equal((await service.ask('/health')).body.status, 'ok');
    const faults = service.logs.filter(({ level }) => level === 'error' || level === 'fatal');
    assert.deepEqual(faults, []);
  }

  const several = <Value>(one: fc.Arbitrary<Value>) =>
    fc.array(one, { minLength: 1, maxLength: REQUESTS_AT_ONCE, size: 'max' });

  async function assertAnswered(requests: Sent[]): Promise<void> {
    await Promise.all(
      requests.map(async (sent) => {
        const answer = await service.ask(sent.path, sent).catch((error: Error) => {
          const last = JSON.stringify(service.logs.slice(-3));
          throw new Error(`${error.message}; the service said last: ${last}`);
        });
        assert.ok(answer.status < 500, `${answer.status} ${answer.text}`);
        if (answer.status >= 400 && answer.text) {
          assert.deepEqual(Object.keys(answer.body), ['error'], answer.text);
          assert.ok(answer.text.length < 8_000, `${answer.text.length} bytes`);
        }
      }),
    );
    await assertWell();
  }

  test('to whatever address is answered, and never with an error of ours', async () => {
    const request = fc.record({ path, method, body, headers });
    await fc.assert(fc.asyncProperty(several(request), assertAnswered), RUNS);
  });

  test('as a note is answered, and never with an error of ours', async () => {
    const { items } = (await service.ask('/notes')).body as { items: { id: string }[] };
    const known = fc.constantFrom(...items.map(({ id }) => `/notes/${id}`));
    const json = fc.constant({ 'content-type': 'application/json' });
    const request = fc.oneof(
      fc.record({ path: fc.constant('/notes'), method: fc.constant('POST'), body, headers: json }),
      fc.record({ path: known, method: fc.constant('PATCH'), body, headers: json }),
      fc.record({
        path: inAddress.map((id) => `/notes/${id}`),
        method: fc.constantFrom('GET', 'PATCH', 'DELETE'),
        body,
        headers: json,
      }),
    );
    await fc.assert(fc.asyncProperty(several(request), assertAnswered), RUNS);
  });

  test('wherever a value is taken, those that have broken others are answered', async () => {
    for (const value of HOSTILE) {
      const inUrl = encodeURIComponent(wellFormed(value));
      const headers = { 'content-type': 'application/json' };
      const get = (path: string) => ({ path, method: 'GET', body: undefined, headers: {} });
      const post = (note: unknown) => ({
        ...{ path: '/notes', method: 'POST', body: toJson(note), headers },
      });
      await assertAnswered([
        ...[get(`/notes?limit=${inUrl}`), get(`/notes?after=${inUrl}`)],
        ...[get(`/notes?${inUrl}=1`), get(`/notes/${inUrl}`)],
        ...[post({ title: value }), post({ title: 'x', body: value }), post({ [value]: 'x' })],
      ]);
    }
  });

  for (const [what, portOf] of [
    ['the port of the service', () => service.port],
    ['the port of metrics', () => service.metricsPort],
  ] as const) {
    test(`as bytes to ${what} is no reason for an error of ours`, async () => {
      await fc.assert(
        fc.asyncProperty(several(rawRequest), async (requests) => {
          const answers = await Promise.all(
            requests.map(async (bytes) => service.askRaw(bytes, portOf(), { isAll: true })),
          );
          for (const answer of answers) {
            assert.doesNotMatch(answer, /HTTP\/1\.[01] 5\d\d /);
          }
          await assertWell();
        }),
        RUNS,
      );
      assert.equal((await ask(service.metricsPort, '/metrics')).status, 200);
    });
  }
});

interface Sent {
  readonly path: string;
  readonly method: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** Without halves of surrogate pairs, which have no encoding. */
function wellFormed(part: string): string {
  return Buffer.from(part).toString();
}

function toJson(part: unknown): string {
  return JSON.stringify(part);
}
