"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.DatabaseUnavailableError = void 0;
exports.isLoginRefused = isLoginRefused;
exports.whyUnavailable = whyUnavailable;
const pg_1 = require("pg");
const errors_1 = require("./errors");
class DatabaseUnavailableError extends errors_1.HttpError {
    constructor(reason, options) {
        const message = `Try again soon: ${reason}.`;
        super(503, 'database_unavailable', message, { 'retry-after': '1' });
        this.reason = reason;
        this.name = 'DatabaseUnavailableError';
        if (options) {
            this.cause = options.cause;
        }
    }
}
exports.DatabaseUnavailableError = DatabaseUnavailableError;
function isLoginRefused(error) {
    return error instanceof pg_1.DatabaseError && (error.code?.startsWith('28') ?? false);
}
function whyUnavailable(error) {
    if (error instanceof DatabaseUnavailableError) {
        return error.reason;
    }
    if (error instanceof pg_1.DatabaseError) {
        const code = error.code ?? '';
        return REASON_OF_CODE[code] ?? REASON_OF_CODE[code.slice(0, 2)];
    }
    const { code, message, $metadata } = error;
    if ($metadata) {
        return 'the secret with the password cannot be read';
    }
    if (code && /CERT|SIGNATURE|ALTNAME|SSL|TLS/.test(code)) {
        return 'the certificate of the database is not to be trusted';
    }
    if (message?.includes('does not support SSL')) {
        return 'the database does not speak TLS';
    }
    if (code && /^E[A-Z_]+$/.test(code)) {
        return 'the database cannot be reached';
    }
    if (message && /timeout/i.test(message)) {
        return 'the database takes too long to answer';
    }
    if (message && /connection (terminated|ended)|not queryable/i.test(message)) {
        return 'the connection to the database was lost';
    }
    return undefined;
}
const REASON_OF_CODE = {
    '08': 'the connection to the database was lost',
    '25006': 'the database is read-only',
    '28': 'the database refuses the login',
    '3D': 'the database does not exist',
    '53': 'the database has no room for more',
    '57': 'the database is stopping or starting',
    '57014': 'the database takes too long to answer',
    '58': 'the database has a fault',
};
