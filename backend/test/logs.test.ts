import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './support/programs';
import { Service } from './support/service';

test('a request is one line of JSON, with the id that the load balancer gave it', async () => {
  const service = await Service.start({});
  const trace = 'Root=1-67891233-abcdef012345678912345678;Self=1-67891233-12456789';
  const answer = await service.ask('/nothing?token=hidden', {
    headers: { 'x-amzn-trace-id': trace, authorization: 'Bearer hidden', cookie: 'hidden' },
  });
  assert.equal(answer.body.error.requestId, trace);
  assert.equal(answer.headers['x-request-id'], trace);
  const line = await eventually('a line', () => service.logs.find(({ msg }) => msg === 'request'));
  await service.kill();
  const { time, durationMs, ...rest } = line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(typeof durationMs, 'number');
  assert.deepEqual(rest, {
    level: 'info',
    reqId: trace,
    method: 'GET',
    path: '/nothing',
    status: 404,
    code: 'not_found',
    msg: 'request',
  });
  assert.ok(!JSON.stringify(service.logs).includes('hidden'));
});

test('an id that could forge a log is replaced', async () => {
  const service = await Service.start({});
  const answer = await service.ask('/nothing', { headers: { 'x-amzn-trace-id': 'a"b c<d>' } });
  await service.kill();
  assert.match(answer.body.error.requestId, /^[0-9a-f-]{36}$/);
});

test('health checks are not logged, its changes are', async () => {
  const service = await Service.start({});
  for (let checks = 0; checks < 5; checks += 1) {
    await service.ask('/health');
  }
  await service.ask('/');
  await eventually('the request', () => service.logs.find(({ msg }) => msg === 'request'));
  await service.kill();
  const messages = service.logs.map(({ msg }) => String(msg));
  assert.equal(messages.filter((message) => message === 'health: ok').length, 1);
  assert.equal(messages.filter((message) => message === 'request').length, 1);
});

test('the last lines are written before it ends', async () => {
  const service = await Service.start({});
  await service.ask('/nothing');
  assert.equal(await service.stop(), 0);
  const messages = service.logs.map(({ msg }) => msg);
  assert.deepEqual(messages.slice(-3), ['request', 'stopping', 'stopped']);
});
