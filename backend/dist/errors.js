"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.HttpError = void 0;
exports.answerTo = answerTo;
exports.ofStatus = ofStatus;
class HttpError extends Error {
    constructor(statusCode, code, message, headers = {}) {
        super(message);
        this.statusCode = statusCode;
        this.code = code;
        this.headers = headers;
        this.name = 'HttpError';
    }
}
exports.HttpError = HttpError;
function answerTo(error, requestId) {
    if (error instanceof HttpError) {
        const { statusCode, headers, code, message } = error;
        return { statusCode, headers, body: { error: { code, message, requestId } } };
    }
    if (error.validation) {
        const details = error.validation.map(({ instancePath, message, params }) => {
            const unknown = params['additionalProperty'];
            const at = `${error.validationContext ?? 'request'}${instancePath}`;
            return unknown === undefined
                ? { at, message: message ?? 'is not allowed' }
                : { at: `${at}/${String(unknown)}`, message: 'is not known' };
        });
        const message = 'The request has values that are not allowed.';
        return {
            statusCode: 400,
            headers: {},
            body: { error: { code: 'invalid_request', message, details, requestId } },
        };
    }
    const statusCode = error.statusCode ?? 500;
    if (statusCode >= 400 && statusCode < 500) {
        const { code, message } = ofStatus(statusCode);
        return { statusCode, headers: {}, body: { error: { code, message, requestId } } };
    }
    const message = 'Something went wrong here; the logs have the reason.';
    return {
        statusCode: 500,
        headers: {},
        body: { error: { code: 'internal_error', message, requestId } },
    };
}
function ofStatus(statusCode) {
    return OF_STATUS[statusCode] ?? { code: 'bad_request', message: 'The request is malformed.' };
}
const OF_STATUS = {
    404: { code: 'not_found', message: 'There is nothing at this address.' },
    405: { code: 'method_not_allowed', message: 'This address has no such method.' },
    408: { code: 'request_timeout', message: 'The request took too long to arrive.' },
    413: { code: 'payload_too_large', message: 'The body is larger than 64 KiB.' },
    415: { code: 'unsupported_media_type', message: 'The body must be application/json.' },
    417: { code: 'expectation_failed', message: 'This expectation cannot be met.' },
    431: { code: 'headers_too_large', message: 'The headers are too large.' },
};
