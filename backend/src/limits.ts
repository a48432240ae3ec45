/**
 * Every number that has a counterpart outside of this process: in the image's HEALTHCHECK, in the
 * task definition, in the target group, at the load balancer. Whoever changes one side looks here
 * for the other.
 */

/** Where it listens unless HOST and PORT say otherwise. */
export const DEFAULT_HOST = '0.0.0.0';
export const DEFAULT_PORT = 3_000;

/** Before SIGTERM's drain is over; the deregistration delay of the target group is longer. */
export const DRAIN_SECONDS = { from: 0, to: 15, byDefault: 5 };
/** After SIGTERM: when connections that still wait for an answer, or take none, are cut. */
export const CUT_AFTER_STOP_MS = 19_000;
/** After SIGTERM: the end, whatever still runs. ECS sends SIGKILL at `stopTimeout`, 30 s. */
export const STOP_WITHIN_MS = 25_000;

/** All of the first migration, or of those of a release. */
export const MIGRATION_MS = 120_000;
/**
 * The same with the wait for a database that is away. ECS starts no container after 180 s of waiting
 * for what it depends on; with a failover of half a minute in it, migrations have theirs.
 */
export const MIGRATE_WITHIN_MS = 170_000;

/** Longer than the load balancer's idle timeout of 60 s, which may else use what is about to close. */
export const KEEP_ALIVE_MS = 65_000;
/** From the first byte of a request to its last. */
export const REQUEST_MS = 10_000;
/** The same, once the service stops. */
export const REQUEST_WHILE_STOPPING_MS = 2_000;
/** From the first byte of a request until its answer was taken; the load balancer waits as long. */
export const EXCHANGE_MS = 60_000;
export const CONNECTIONS_MAX = 1_000;
/** Of one connection, sent before the answers to those before them; more cut it. */
export const PIPELINED_MAX = 16;
/** Of all answers that clients are slow to take; a task has 512 MiB for everything. */
export const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
/** The port of metrics: a scraper or two, and whoever looks by hand. */
export const METRICS_CONNECTIONS_MAX = 50;

/** The answer of `/health`; the checks of the container and of the target group wait for 5 s. */
export const PROBE_MS = 1_500;

/** To connect to the database. */
export const CONNECT_MS = 2_000;
/** One statement of a request. */
export const STATEMENT_MS = 5_000;
/** How long a new connection is tried for while the password is being changed. */
export const LOGIN_MS = 8_000;
