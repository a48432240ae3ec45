"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.migrate = migrate;
const umzug_1 = require("umzug");
const MIGRATIONS = [
    {
        name: '0001-notes',
        sql: `
      CREATE TABLE notes (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        -- Pages follow it: unlike a time of creation, no two notes share it.
        position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
        body text NOT NULL DEFAULT '' CHECK (char_length(body) <= 10000),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`,
    },
];
const LOCK = 7_306_100;
async function migrate(database) {
    let done = [];
    await database.transaction(async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
        await client.query(`CREATE TABLE IF NOT EXISTS migrations (
        name text PRIMARY KEY,
        executed_at timestamptz NOT NULL DEFAULT now()
      )`);
        const umzug = new umzug_1.Umzug({
            context: client,
            logger: undefined,
            storage: {
                async executed() {
                    const { rows } = await client.query('SELECT name FROM migrations');
                    return rows.map(({ name }) => name);
                },
                async logMigration({ name }) {
                    await client.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
                },
                async unlogMigration({ name }) {
                    await client.query('DELETE FROM migrations WHERE name = $1', [name]);
                },
            },
            migrations: MIGRATIONS.map(({ name, sql }) => ({
                name,
                up: async () => client.query(sql),
            })),
        });
        done = (await umzug.up()).map(({ name }) => name);
    });
    return done;
}
