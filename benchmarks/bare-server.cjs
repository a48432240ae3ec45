// The least that a server can do for the service's queries: no validation, limits, log or metrics.
const { createServer } = require("node:http");
const { createRequire } = require("node:module");
const { join } = require("node:path");

const { Pool } = createRequire(join(__dirname, "../backend/package.json"))(
  "pg",
);

const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, PORT } = process.env;
const pool = new Pool({
  host: DB_HOST,
  port: Number(DB_PORT),
  database: DB_NAME,
  user: DB_USER,
  password: DB_PASSWORD,
  max: 10,
});

const READ = {
  name: "read-note",
  text: `SELECT id, position, title, body, created_at AS "createdAt", updated_at AS "updatedAt"
         FROM notes WHERE id = $1`,
};

const server = createServer(async (request, response) => {
  const { rows } = request.url.startsWith("/notes/")
    ? await pool.query({
        ...READ,
        values: [request.url.slice("/notes/".length)],
      })
    : await pool.query("SELECT 1 AS status");
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(rows[0]));
});
server.listen(Number(PORT), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
