"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.loginSource = loginSource;
const node_perf_hooks_1 = require("node:perf_hooks");
const client_secrets_manager_1 = require("@aws-sdk/client-secrets-manager");
const database_errors_1 = require("./database-errors");
const READ_AGAIN_AFTER_MS = 200;
function loginSource(login) {
    return login.kind === 'secret' ? new SecretLogin(login.arn) : new FixedLogin(login);
}
class FixedLogin {
    constructor({ user, password }) {
        this.login = { user, password, generation: 0 };
    }
    async current() {
        return this.login;
    }
    async refused() {
        return false;
    }
}
class SecretLogin {
    constructor(arn) {
        this.arn = arn;
        this.secrets = new client_secrets_manager_1.SecretsManagerClient({
            maxAttempts: 2,
            requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000 },
        });
        this.readAtMs = 0;
    }
    async current() {
        return this.known ?? this.read();
    }
    async refused(login) {
        const isNew = this.known?.generation !== login.generation;
        if (!isNew && node_perf_hooks_1.performance.now() - this.readAtMs > READ_AGAIN_AFTER_MS) {
            await this.read();
        }
        return true;
    }
    read() {
        this.reading ??= this.readNext().finally(() => {
            this.reading = undefined;
        });
        return this.reading;
    }
    async readNext() {
        const before = this.known;
        let next = await this.readVersion('AWSCURRENT');
        if (before && next.password === before.password && next.user === before.user) {
            next = await this.readVersion('AWSPENDING').catch((error) => {
                if (error.name === 'ResourceNotFoundException') {
                    return next;
                }
                throw error;
            });
        }
        this.readAtMs = node_perf_hooks_1.performance.now();
        this.known = { ...next, generation: (before?.generation ?? 0) + 1 };
        return this.known;
    }
    async readVersion(stage) {
        const command = new client_secrets_manager_1.GetSecretValueCommand({ SecretId: this.arn, VersionStage: stage });
        const { SecretString: text } = await this.secrets.send(command);
        const { username: user, password } = parse(text);
        if (typeof user !== 'string' || typeof password !== 'string') {
            throw new database_errors_1.DatabaseUnavailableError('the secret has no username and password');
        }
        return { user, password };
    }
}
function parse(text) {
    try {
        return Object(JSON.parse(text ?? '{}'));
    }
    catch {
        return {};
    }
}
