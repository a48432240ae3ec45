/**
 * What the service costs over a bare `node:http` server that runs the same queries.
 *
 * Both are processes of their own before one PostgreSQL, with pools of the same size; they are
 * measured in turns, so that what else the machine does meets both alike. Prints requests per
 * second, the 99th percentile of latency and memory. Exit status 1: less than 0.8 of the bare
 * server's requests per second, a request that failed, or more than half of the task's memory.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

const here = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(
  new URL("../backend/package.json", import.meta.url),
);
const autocannon = require("autocannon");
const {
  eventually,
  freePort,
} = require("./.cache/test/test/support/programs.js");
const { PostgreSql } = require("./.cache/test/test/support/postgresql.js");
const { ask } = require("./.cache/test/test/support/service.js");

const LEAST_RATIO = 0.8;
const TASK_MEMORY_MIB = 512;
const ROUNDS = 9;
const ROUND_SECONDS = 2;
/** As many as either pool has: with more, the queues before the pools would be compared. */
const CONNECTIONS = 10;

const residentMib = (pid) =>
  Number(
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1],
  ) / 1024;

/** A server that logs into a pipe, as in a container. */
async function start(program, database) {
  const port = await freePort();
  const log = spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
  const child = spawn(process.execPath, [program], {
    env: {
      ...database.variables(),
      NODE_ENV: "production",
      PORT: `${port}`,
      METRICS_PORT: `${await freePort()}`,
      DRAIN_SECONDS: "0",
    },
    stdio: ["ignore", log.stdin, "inherit"],
  });
  log.stdin.destroy();
  await eventually("the server answers", async () => {
    const answer = await ask(port, "/health").catch(() => undefined);
    return answer?.status === 200;
  });
  return {
    port,
    pid: child.pid,
    async stop() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

async function measure(server, path) {
  let memoryMib = 0;
  const sampling = setInterval(() => {
    memoryMib = Math.max(memoryMib, residentMib(server.pid));
  }, 100);
  const result = await autocannon({
    url: `http://127.0.0.1:${server.port}${path}`,
    connections: CONNECTIONS,
    duration: ROUND_SECONDS,
  });
  clearInterval(sampling);
  return {
    requestsPerSecond: result.requests.average,
    p99Ms: result.latency.p99,
    failures: result.errors + result.non2xx,
    memoryMib,
  };
}

const median = (values) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function compare(ours, bare, path) {
  const rounds = { ours: [], bare: [] };
  await measure(ours, path);
  await measure(bare, path);
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stderr.write(`${path.slice(0, 8)}: round ${round} of ${ROUNDS}\n`);
    rounds.ours.push(await measure(ours, path));
    rounds.bare.push(await measure(bare, path));
  }
  const of = (name, figure) =>
    median(rounds[name].map((round) => round[figure]));
  return {
    ours: {
      requestsPerSecond: of("ours", "requestsPerSecond"),
      p99Ms: of("ours", "p99Ms"),
    },
    bare: {
      requestsPerSecond: of("bare", "requestsPerSecond"),
      p99Ms: of("bare", "p99Ms"),
    },
    ratio: median(
      rounds.ours.map(
        (round, i) =>
          round.requestsPerSecond / rounds.bare[i].requestsPerSecond,
      ),
    ),
    memoryMib: Math.max(...rounds.ours.map(({ memoryMib }) => memoryMib)),
    failures: rounds.ours.reduce((sum, { failures }) => sum + failures, 0),
  };
}

async function main() {
  const database = await PostgreSql.start();
  const servers = [];
  try {
    const ours = await start(`${here}../backend/dist/main.js`, database);
    servers.push(ours);
    const bare = await start(`${here}bare-server.cjs`, database);
    servers.push(bare);
    const note = { title: "Benchmark", body: "x".repeat(500) };
    const { body } = await ask(ours.port, "/notes", {
      method: "POST",
      body: note,
    });
    await sleep(1_000);
    const restMib = residentMib(ours.pid);
    const results = {
      "GET /health": await compare(ours, bare, "/health"),
      "GET /notes/:id": await compare(ours, bare, `/notes/${body.id}`),
    };
    const memoryMib = Math.max(
      ...Object.values(results).map((result) => result.memoryMib),
    );

    const row = (...cells) =>
      console.log(
        cells
          .map((cell, i) => (i ? String(cell).padStart(12) : cell.padEnd(16)))
          .join(""),
      );
    row("", "requests/s", "bare", "ratio", "p99 ms", "bare", "failures");
    for (const [
      name,
      { ours: mine, bare: theirs, ratio, failures },
    ] of Object.entries(results)) {
      const rates = [mine, theirs].map(({ requestsPerSecond }) =>
        Math.round(requestsPerSecond),
      );
      row(name, ...rates, ratio.toFixed(2), mine.p99Ms, theirs.p99Ms, failures);
    }
    console.log(
      `memory: ${Math.round(restMib)} MiB at rest, ${Math.round(memoryMib)} MiB under load, ` +
        `of the task's ${TASK_MEMORY_MIB} MiB`,
    );
    console.log(
      "GET /health shares one query among the checks of a second; the bare server does not.",
    );
    const isGood =
      memoryMib < TASK_MEMORY_MIB / 2 &&
      Object.values(results).every(
        ({ ratio, failures }) => ratio >= LEAST_RATIO && !failures,
      );
    process.exitCode = isGood ? 0 : 1;
  } finally {
    await Promise.all(servers.map(async (server) => server.stop()));
    await database.remove();
  }
}

await main();
