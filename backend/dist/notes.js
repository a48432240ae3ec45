"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.routeNotes = routeNotes;
const errors_1 = require("./errors");
const database_errors_1 = require("./database-errors");
const TEXT = '^[^\\u0000\\ud800-\\udfff]*$';
const title = { type: 'string', minLength: 1, maxLength: 200, pattern: TEXT };
const body = { type: 'string', maxLength: 10_000, pattern: TEXT };
const noteToCreate = {
    type: 'object',
    properties: { title, body: { ...body, default: '' } },
    required: ['title'],
    additionalProperties: false,
};
const noteToUpdate = {
    type: 'object',
    properties: { title, body },
    minProperties: 1,
    additionalProperties: false,
};
const page = {
    type: 'object',
    properties: {
        limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
        after: { type: 'string', pattern: '^[0-9]{1,18}$' },
    },
    additionalProperties: false,
};
const address = {
    type: 'object',
    properties: { id: { type: 'string', format: 'uuid' } },
    required: ['id'],
};
const noteAnswer = {
    type: 'object',
    properties: {
        id: { type: 'string' },
        title: { type: 'string' },
        body: { type: 'string' },
        createdAt: { type: 'string', format: 'date-time' },
        updatedAt: { type: 'string', format: 'date-time' },
    },
};
const pageAnswer = {
    type: 'object',
    properties: {
        items: { type: 'array', items: noteAnswer },
        next: { type: ['string', 'null'] },
    },
};
const COLUMNS = 'id, position, title, body, created_at AS "createdAt", updated_at AS "updatedAt"';
function routeNotes(app, database) {
    const routes = app.withTypeProvider();
    async function rows(name, text, values) {
        if (!database) {
            throw new database_errors_1.DatabaseUnavailableError('no database is configured');
        }
        return (await database.query({ name, text, values })).rows;
    }
    routes.post('/notes', { schema: { body: noteToCreate, response: { 201: noteAnswer } } }, async (request, reply) => {
        const note = only(await rows('create-note', `INSERT INTO notes (title, body) VALUES ($1, $2) RETURNING ${COLUMNS}`, [request.body.title, request.body.body]));
        return reply.code(201).header('location', `/notes/${note.id}`).send(note);
    });
    routes.get('/notes', { schema: { querystring: page, response: { 200: pageAnswer } } }, async ({ query: { limit, after } }) => {
        const found = await rows('list-notes', `SELECT ${COLUMNS} FROM notes WHERE $1::bigint IS NULL OR position < $1
         ORDER BY position DESC LIMIT $2`, [after ?? null, limit + 1]);
        const items = found.slice(0, limit);
        return { items, next: found.length > limit ? (items[limit - 1]?.position ?? null) : null };
    });
    routes.get('/notes/:id', { schema: { params: address, response: { 200: noteAnswer } } }, async ({ params: { id } }) => only(await rows('read-note', `SELECT ${COLUMNS} FROM notes WHERE id = $1`, [id])));
    routes.patch('/notes/:id', { schema: { params: address, body: noteToUpdate, response: { 200: noteAnswer } } }, async ({ params: { id }, body: change }) => only(await rows('update-note', `UPDATE notes SET title = coalesce($2, title), body = coalesce($3, body),
           updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`, [id, change.title ?? null, change.body ?? null])));
    routes.delete('/notes/:id', { schema: { params: address } }, async (request, reply) => {
        only(await rows('delete-note', `DELETE FROM notes WHERE id = $1 RETURNING ${COLUMNS}`, [
            request.params.id,
        ]));
        return reply.code(204).send();
    });
}
function only(notes) {
    const [note] = notes;
    if (!note) {
        throw new errors_1.HttpError(404, 'not_found', 'There is no note with this id.');
    }
    return note;
}
