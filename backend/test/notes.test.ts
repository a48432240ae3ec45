import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PostgreSql } from './support/postgresql';
import { Service } from './support/service';

describe('notes', () => {
  let database: PostgreSql;
  let service: Service;

  before(async () => {
    database = await PostgreSql.start();
    service = await Service.start(database.variables());
  });
  after(async () => {
    await service?.stop();
    await database?.remove();
  });

  const create = async (body: unknown) => service.ask('/notes', { method: 'POST', body });

  test('a note that was created can be read at its location', async () => {
    const created = await create({ title: 'Milk', body: 'two litres' });
    assert.equal(created.status, 201);
    const read = await service.ask(String(created.headers.location));
    assert.equal(read.status, 200);
    assert.deepEqual(read.body, created.body);
    assert.deepEqual([read.body.title, read.body.body], ['Milk', 'two litres']);
    assert.match(read.body.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(Object.keys(read.body).sort(), [
      ...['body', 'createdAt', 'id', 'title', 'updatedAt'],
    ]);
  });

  test('an update changes what it names and nothing else', async () => {
    const { id } = (await create({ title: 'Bread', body: 'rye' })).body;
    const updated = await service.ask(`/notes/${id}`, { method: 'PATCH', body: { body: '' } });
    assert.deepEqual([updated.status, updated.body.title, updated.body.body], [200, 'Bread', '']);
    assert.ok(updated.body.updatedAt > updated.body.createdAt);
  });

  test('a note that was deleted is gone', async () => {
    const { id } = (await create({ title: 'Old' })).body;
    const deleted = await service.ask(`/notes/${id}`, { method: 'DELETE' });
    assert.deepEqual([deleted.status, deleted.text], [204, '']);
    for (const method of ['GET', 'DELETE']) {
      assert.equal((await service.ask(`/notes/${id}`, { method })).status, 404);
    }
  });

  test('pages list every note once, newest first, while others are added and deleted', async () => {
    await database.query('DELETE FROM notes');
    const titles = Array.from({ length: 25 }, (_, index) => `note ${index}`);
    const ids: string[] = [];
    for (const title of titles) {
      ids.push((await create({ title })).body.id);
    }
    const listed: string[] = [];
    let address = '/notes?limit=10';
    for (let pages = 1; ; pages += 1) {
      const { items, next } = (await service.ask(address)).body;
      listed.push(...items.map(({ title }: { title: string }) => title));
      if (next === null) {
        assert.equal(pages, 3);
        break;
      }
      await create({ title: 'added between two pages' });
      // The last one of this page, from which the next one starts.
      await service.ask(`/notes/${items.at(-1).id}`, { method: 'DELETE' });
      address = `/notes?limit=10&after=${next}`;
    }
    assert.deepEqual(listed, [...titles].reverse());
  });

  test('what looks like SQL is only text', async () => {
    const title = `'); DROP TABLE notes; -- " \\ $1 %s`;
    const { id } = (await create({ title, body: title })).body;
    const read = await service.ask(`/notes/${id}`);
    assert.deepEqual([read.body.title, read.body.body], [title, title]);
  });
});
