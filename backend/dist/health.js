"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Health = void 0;
const promises_1 = require("node:timers/promises");
const database_errors_1 = require("./database-errors");
const migrations_1 = require("./migrations");
class Health {
    constructor(configuration, database, logger) {
        this.configuration = configuration;
        this.database = database;
        this.logger = logger;
        this.draining = false;
        this.migrated = false;
    }
    drain() {
        this.draining = true;
    }
    get isDraining() {
        return this.draining;
    }
    async report() {
        const fault = this.database && (await this.databaseFault(this.database));
        const reason = this.draining ? 'the service is stopping' : fault;
        const report = {
            status: reason ? 'unavailable' : 'ok',
            version: this.configuration.version,
            commit: this.configuration.commit,
            uptimeSeconds: Math.floor(process.uptime()),
            database: !this.database
                ? 'not configured'
                : fault
                    ? 'unavailable'
                    : 'ok',
            ...(reason && { reason }),
        };
        this.logChange(report);
        return report;
    }
    async migrateWhenPossible(database) {
        for (let pauseMs = 250; !this.migrated && !this.draining; pauseMs *= 2) {
            try {
                const steps = await (0, migrations_1.migrate)(database);
                this.migrated = true;
                this.logger.info({ steps }, 'the schema is up to date');
            }
            catch (error) {
                const reason = (0, database_errors_1.whyUnavailable)(error);
                if (reason === undefined) {
                    throw error;
                }
                this.logger.warn({ reason }, 'the schema cannot be brought up to date yet');
                await (0, promises_1.setTimeout)(Math.min(pauseMs, 5_000), undefined, { ref: false });
            }
        }
    }
    async databaseFault(database) {
        const fault = await database.probe();
        return fault ?? (this.migrated ? undefined : 'the schema is being brought up to date');
    }
    logChange({ status, reason }) {
        const isAvailable = status === 'ok';
        if (isAvailable !== this.wasAvailable) {
            this.wasAvailable = isAvailable;
            this.logger[isAvailable ? 'info' : 'warn']({ reason }, `health: ${status}`);
        }
    }
}
exports.Health = Health;
