import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts';
import type { FastifyInstance } from 'fastify';
import type { Database } from './database';
import { HttpError } from './errors';
import { DatabaseUnavailableError } from './database-errors';

/** What is answered as text in ISO 8601 is a Date until then. */
interface DateAsText {
  pattern: { type: 'string'; format: 'date-time' };
  output: Date;
}

type Note = {
  readonly id: string;
  readonly position: string;
  readonly title: string;
  readonly body: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

// PostgreSQL's text holds all of Unicode but U+0000; half a surrogate pair is not Unicode.
const TEXT = '^[^\\u0000\\ud800-\\udfff]*$';

const title = { type: 'string', minLength: 1, maxLength: 200, pattern: TEXT } as const;
const body = { type: 'string', maxLength: 10_000, pattern: TEXT } as const;

const noteToCreate = {
  type: 'object',
  properties: { title, body: { ...body, default: '' } },
  required: ['title'],
  additionalProperties: false,
} as const;

const noteToUpdate = {
  type: 'object',
  properties: { title, body },
  minProperties: 1,
  additionalProperties: false,
} as const;

const page = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    after: { type: 'string', pattern: '^[0-9]{1,18}$' },
  },
  additionalProperties: false,
} as const;

// The one form that PostgreSQL takes and gives; RFC 4122 has others, such as `urn:uuid:…`.
const UUID = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';

const address = {
  type: 'object',
  properties: { id: { type: 'string', pattern: UUID } },
  required: ['id'],
} as const;

// What is not named here is not answered with, and naming it makes the answer faster to write.
const noteAnswer = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    title: { type: 'string' },
    body: { type: 'string' },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
  },
} as const;

const pageAnswer = {
  type: 'object',
  properties: {
    items: { type: 'array', items: noteAnswer },
    /** For `after`, to get the next page; null on the last one. */
    next: { type: ['string', 'null'] },
  },
} as const;

const COLUMNS = 'id, position, title, body, created_at AS "createdAt", updated_at AS "updatedAt"';

/** `/notes`: create, read, list newest first, update, delete. */
export function routeNotes(app: FastifyInstance, database: Database | undefined): void {
  const routes = app.withTypeProvider<JsonSchemaToTsProvider<{ deserialize: [DateAsText] }>>();

  // Each statement has a name, so that PostgreSQL plans it once for each connection.
  async function rows(name: string, text: string, values: unknown[]): Promise<Note[]> {
    if (!database) {
      throw new DatabaseUnavailableError('no database is configured');
    }
    return (await database.query<Note>({ name, text, values })).rows;
  }

  routes.post(
    '/notes',
    { schema: { body: noteToCreate, response: { 201: noteAnswer } } },
    async (request, reply) => {
      const note = only(
        await rows(
          'create-note',
          `INSERT INTO notes (title, body) VALUES ($1, $2) RETURNING ${COLUMNS}`,
          [request.body.title, request.body.body],
        ),
      );
      return reply.code(201).header('location', `/notes/${note.id}`).send(note);
    },
  );

  routes.get(
    '/notes',
    { schema: { querystring: page, response: { 200: pageAnswer } } },
    async ({ query: { limit, after } }) => {
      const found = await rows(
        'list-notes',
        `SELECT ${COLUMNS} FROM notes WHERE $1::bigint IS NULL OR position < $1
         ORDER BY position DESC LIMIT $2`,
        [after ?? null, limit + 1],
      );
      const items = found.slice(0, limit);
      return { items, next: found.length > limit ? (items[limit - 1]?.position ?? null) : null };
    },
  );

  routes.get(
    '/notes/:id',
    { schema: { params: address, response: { 200: noteAnswer } } },
    async ({ params: { id } }) =>
      only(await rows('read-note', `SELECT ${COLUMNS} FROM notes WHERE id = $1`, [id])),
  );

  routes.patch(
    '/notes/:id',
    { schema: { params: address, body: noteToUpdate, response: { 200: noteAnswer } } },
    async ({ params: { id }, body: change }) =>
      only(
        await rows(
          'update-note',
          `UPDATE notes SET title = coalesce($2, title), body = coalesce($3, body),
           updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
          [id, change.title ?? null, change.body ?? null],
        ),
      ),
  );

  routes.delete('/notes/:id', { schema: { params: address } }, async (request, reply) => {
    only(
      await rows('delete-note', `DELETE FROM notes WHERE id = $1 RETURNING ${COLUMNS}`, [
        request.params.id,
      ]),
    );
    return reply.code(204).send();
  });
}

function only(notes: Note[]): Note {
  const [note] = notes;
  if (!note) {
    throw new HttpError(404, 'not_found', 'There is no note with this id.');
  }
  return note;
}
