"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Database = void 0;
const node_perf_hooks_1 = require("node:perf_hooks");
const promises_1 = require("node:timers/promises");
const node_tls_1 = require("node:tls");
const pg_1 = require("pg");
const database_errors_1 = require("./database-errors");
const login_1 = require("./login");
const CONNECT_MS = 2_000;
const STATEMENT_MS = 5_000;
const LOGIN_MS = 8_000;
const PROBE_MS = 1_500;
const PROBE_GOOD_FOR_MS = 1_000;
class Database {
    constructor(configuration, logger) {
        this.configuration = configuration;
        this.logger = logger;
        this.logins = (0, login_1.loginSource)(configuration.login);
        this.pool = this.poolOf(configuration.connectionsMax, configuration.connectionLifetimeSeconds);
        this.probePool = this.poolOf(1, 0);
    }
    async query(query) {
        return this.using(this.pool, (client) => client.query(within(query, STATEMENT_MS)));
    }
    async transaction(work) {
        await this.using(this.pool, async (client) => {
            await client.query('BEGIN; SET LOCAL statement_timeout = 0');
            await work(client);
            await client.query('COMMIT');
        });
    }
    async probe() {
        if (this.probed && node_perf_hooks_1.performance.now() - this.probed.atMs < PROBE_GOOD_FOR_MS) {
            return this.probed.reason;
        }
        this.probing ??= this.probeNow().finally(() => {
            this.probing = undefined;
        });
        const answered = new AbortController();
        const late = (0, promises_1.setTimeout)(PROBE_MS, 'the database takes too long to answer', answered);
        late.catch(() => { });
        return Promise.race([this.probing, late]).finally(() => answered.abort());
    }
    connections() {
        const { totalCount, idleCount, waitingCount } = this.pool;
        return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
    }
    async close() {
        await Promise.all([this.pool.end(), this.probePool.end()]);
    }
    async probeNow() {
        let reason;
        try {
            await this.using(this.probePool, (client) => client.query(within({ text: 'SELECT 1' }, PROBE_MS)));
        }
        catch (error) {
            reason = (0, database_errors_1.whyUnavailable)(error) ?? 'the database has a fault';
        }
        this.probed = { atMs: node_perf_hooks_1.performance.now(), reason };
        return reason;
    }
    async using(pool, work) {
        const client = await this.connect(pool);
        try {
            const result = await work(client);
            client.release();
            return result;
        }
        catch (error) {
            client.release(true);
            throw asUnavailable(error);
        }
    }
    async connect(pool) {
        const deadlineMs = node_perf_hooks_1.performance.now() + LOGIN_MS;
        for (let pauseMs = 25;; pauseMs = Math.min(2 * pauseMs, 1_000)) {
            try {
                this.login = await this.logins.current();
            }
            catch (error) {
                throw asUnavailable(error);
            }
            const { login } = this;
            try {
                return await pool.connect();
            }
            catch (error) {
                if (!(0, database_errors_1.isLoginRefused)(error) || node_perf_hooks_1.performance.now() + pauseMs > deadlineMs) {
                    throw asUnavailable(error);
                }
                const mayHelp = await this.logins.refused(login).catch((failure) => {
                    throw asUnavailable(failure);
                });
                if (!mayHelp) {
                    throw asUnavailable(error);
                }
                this.logger.warn('the database refused the password, which was read again');
                await (0, promises_1.setTimeout)(pauseMs);
            }
        }
    }
    poolOf(connectionsMax, lifetimeSeconds) {
        const { host, port, name, certificateAuthorities } = this.configuration;
        const login = () => this.login;
        class LoggedInClient extends pg_1.Client {
            constructor(config) {
                super({ ...config, user: login()?.user, password: login()?.password });
            }
        }
        const pool = new pg_1.Pool({
            host,
            port,
            database: name,
            ssl: certificateAuthorities && {
                secureContext: (0, node_tls_1.createSecureContext)({ ca: certificateAuthorities }),
                rejectUnauthorized: true,
            },
            Client: LoggedInClient,
            max: connectionsMax,
            maxLifetimeSeconds: lifetimeSeconds,
            connectionTimeoutMillis: CONNECT_MS,
            statement_timeout: STATEMENT_MS,
            keepAlive: true,
            application_name: 'prod-e-backend',
        });
        pool.on('error', (error) => {
            this.logger.warn({ reason: (0, database_errors_1.whyUnavailable)(error) }, 'an idle connection was lost');
        });
        return pool;
    }
}
exports.Database = Database;
function within(query, milliseconds) {
    return { ...query, query_timeout: milliseconds };
}
function asUnavailable(error) {
    const reason = (0, database_errors_1.whyUnavailable)(error);
    return reason === undefined ? error : new database_errors_1.DatabaseUnavailableError(reason, { cause: error });
}
