"use strict";
var __importDefault = (this && this.__importDefault) || function (mod) {
    return (mod && mod.__esModule) ? mod : { "default": mod };
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.createApp = createApp;
const node_crypto_1 = require("node:crypto");
const node_http_1 = require("node:http");
const node_stream_1 = require("node:stream");
const node_util_1 = require("node:util");
const ajv_1 = __importDefault(require("ajv"));
const ajv_formats_1 = __importDefault(require("ajv-formats"));
const fastify_1 = __importDefault(require("fastify"));
const errors_1 = require("./errors");
const notes_1 = require("./notes");
const BODY_BYTES_MAX = 64 * 1024;
const DISCARD_BYTES_MAX = 16 * 1024 * 1024;
const DISCARD_MS = 2_000;
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const CONNECTIONS_MAX = 1_000;
function createApp({ configuration, database, health, metrics, logger }) {
    const app = (0, fastify_1.default)({
        logger: logger,
        disableRequestLogging: true,
        bodyLimit: BODY_BYTES_MAX,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        return503OnClosing: false,
        requestIdHeader: false,
        genReqId: requestId,
        frameworkErrors: (error, request, reply) => {
            const { statusCode, body } = (0, errors_1.answerTo)(error, String(request.id));
            void reply.code(statusCode).send(body);
        },
        clientErrorHandler: (error, socket) => {
            refuse(socket, STATUS_OF_CLIENT_ERROR[error.code] ?? 400);
        },
    });
    app.server.headersTimeout = KEEP_ALIVE_MS + 1_000;
    app.server.maxConnections = CONNECTIONS_MAX;
    app.server.on('connect', (_request, socket) => refuse(socket, 405));
    app.server.on('checkExpectation', (request) => refuse(request.socket, 417));
    acceptJsonOnly(app);
    answerErrorsInOneShape(app);
    const methods = methodsOfRoutes(app);
    app.addHook('onSend', async (request, reply) => {
        reply.header('x-request-id', request.id);
        if (health.isDraining) {
            reply.header('connection', 'close');
        }
    });
    app.addHook('onResponse', async (request, reply) => {
        const milliseconds = reply.elapsedTime;
        const route = request.routeOptions.url ?? 'none';
        const { method } = request;
        const { statusCode } = reply;
        metrics.answered({ method, route, status: statusCode, seconds: milliseconds / 1_000 });
        if (route !== '/health') {
            const level = statusCode >= 500 ? 'error' : 'info';
            request.log[level]({
                req: { method, url: request.url.split('?', 1)[0] },
                res: { statusCode },
                responseTime: Math.round(milliseconds * 10) / 10,
            }, 'request');
        }
    });
    app.get('/', async () => ({
        name: 'prod-e-backend',
        version: configuration.version,
        commit: configuration.commit,
        resources: ['/notes', '/health'],
    }));
    app.get('/health', async (_request, reply) => {
        const report = await health.report();
        return reply
            .code(report.status === 'ok' ? 200 : 503)
            .header('cache-control', 'no-store')
            .send(report);
    });
    (0, notes_1.routeNotes)(app, database);
    refuseOtherMethods(app, methods);
    return app;
}
function requestId({ headers }) {
    const trace = headers['x-amzn-trace-id'];
    return typeof trace === 'string' && /^[\w=;:.+/-]{1,256}$/.test(trace) ? trace : (0, node_crypto_1.randomUUID)();
}
function acceptJsonOnly(app) {
    const parse = app.getDefaultJsonParser('error', 'error');
    const decoder = new node_util_1.TextDecoder('utf-8', { fatal: true });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
        let text;
        try {
            text = decoder.decode(bytes);
        }
        catch {
            done(new errors_1.HttpError(400, 'invalid_json', 'The body is not UTF-8.'), undefined);
            return;
        }
        parse(request, text, (error, value) => {
            const refusal = new errors_1.HttpError(400, 'invalid_json', 'The body is not valid JSON.');
            done(error ? refusal : null, value);
        });
    });
    const options = { allErrors: true, useDefaults: true, removeAdditional: false };
    const strict = new ajv_1.default({ ...options, coerceTypes: false });
    const lenient = new ajv_1.default({ ...options, coerceTypes: true });
    (0, ajv_formats_1.default)(strict);
    (0, ajv_formats_1.default)(lenient);
    app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? strict : lenient).compile(schema));
}
function answerErrorsInOneShape(app) {
    app.setErrorHandler(async (error, request, reply) => {
        const { statusCode, headers, body } = (0, errors_1.answerTo)(error, request.id);
        await discardBody(request.raw);
        if (statusCode >= 500) {
            request.log[statusCode === 500 ? 'error' : 'warn']({ err: error.cause ?? error }, 'failed');
        }
        return reply.code(statusCode).headers(headers).send(body);
    });
    app.setNotFoundHandler(() => {
        const { code, message } = (0, errors_1.ofStatus)(404);
        throw new errors_1.HttpError(404, code, message);
    });
}
async function discardBody(request) {
    if (request.readableEnded || request.destroyed) {
        return;
    }
    let bytes = 0;
    await new Promise((done) => {
        const late = setTimeout(done, DISCARD_MS);
        (0, node_stream_1.finished)(request, () => {
            clearTimeout(late);
            done();
        });
        request.on('data', (part) => {
            bytes += part.length;
            if (bytes > DISCARD_BYTES_MAX) {
                done();
            }
        });
    });
}
function methodsOfRoutes(app) {
    const methods = new Map();
    app.addHook('onRoute', ({ url, method }) => {
        const known = methods.get(url) ?? new Set();
        [method].flat().forEach((name) => known.add(name));
        methods.set(url, known);
    });
    return methods;
}
function refuseOtherMethods(app, methods) {
    for (const [url, known] of [...methods]) {
        const allow = [...known].sort().join(', ');
        const refusal = async () => {
            const { code, message } = (0, errors_1.ofStatus)(405);
            throw new errors_1.HttpError(405, code, `${message} Allowed: ${allow}.`, { allow });
        };
        app.route({
            method: METHODS.filter((method) => !known.has(method)),
            url,
            onRequest: refusal,
            handler: refusal,
        });
    }
}
const METHODS = [
    ...['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'],
    ...['COPY', 'LOCK', 'MKCOL', 'MOVE', 'PROPFIND', 'PROPPATCH', 'SEARCH', 'UNLOCK'],
];
const STATUS_OF_CLIENT_ERROR = {
    HPE_HEADER_OVERFLOW: 431,
    ERR_HTTP_REQUEST_TIMEOUT: 408,
};
function refuse(socket, statusCode) {
    if (!socket.writable) {
        return;
    }
    const body = { error: (0, errors_1.ofStatus)(statusCode) };
    const text = JSON.stringify(body);
    socket.end(`HTTP/1.1 ${statusCode} ${node_http_1.STATUS_CODES[statusCode]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`);
}
