import type { FastifyError } from 'fastify';

/** The one shape of every error that the service answers with. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** What to fix in the request: where, and what is allowed there. */
    readonly details?: readonly { readonly at: string; readonly message: string }[];
    /** Finds the request in the logs. */
    readonly requestId?: string;
  };
}

/** More help nobody, and a body may have thousands of mistakes. */
const DETAILS_MAX = 20;
/** Of a name that the request made up. */
const NAME_LENGTH_MAX = 100;

/** An answer other than success, on purpose. `message` is for whoever made the request. */
export class HttpError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'HttpError';
  }
}

/** What to answer when `error` was thrown, and whether it is the service's own fault. */
export function answerTo(
  error: FastifyError | HttpError,
  requestId: string,
): { statusCode: number; headers: Readonly<Record<string, string>>; body: ErrorBody } {
  if (error instanceof HttpError) {
    const { statusCode, headers, code, message } = error;
    return { statusCode, headers, body: { error: { code, message, requestId } } };
  }
  if (error.validation) {
    const where = error.validationContext ?? 'request';
    const details = error.validation
      .slice(0, DETAILS_MAX)
      .map(({ instancePath, message, params }) => {
        const unknown = params['additionalProperty'];
        const at = `${where}${instancePath}`;
        return unknown === undefined
          ? { at, message: message ?? 'is not allowed' }
          : { at: `${at}/${shortened(String(unknown))}`, message: 'is not known' };
      });
    const more = error.validation.length - details.length;
    if (more > 0) {
      details.push({ at: where, message: `has ${more} more mistakes` });
    }
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

function shortened(name: string): string {
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
}

/** The code and message of a refusal that the framework or Node.js itself decided on. */
export function ofStatus(statusCode: number): { code: string; message: string } {
  return OF_STATUS[statusCode] ?? { code: 'bad_request', message: 'The request is malformed.' };
}

const OF_STATUS: Readonly<Record<number, { code: string; message: string }>> = {
  404: { code: 'not_found', message: 'There is nothing at this address.' },
  405: { code: 'method_not_allowed', message: 'This address has no such method.' },
  408: { code: 'request_timeout', message: 'The request took too long to arrive.' },
  413: { code: 'payload_too_large', message: 'The body is larger than 64 KiB.' },
  415: { code: 'unsupported_media_type', message: 'The body must be application/json.' },
  417: { code: 'expectation_failed', message: 'This expectation cannot be met.' },
  431: { code: 'headers_too_large', message: 'The headers are too large.' },
};
