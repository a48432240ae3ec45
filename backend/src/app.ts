import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { TextDecoder } from 'node:util';
import Ajv, { type Options } from 'ajv';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
  type onRequestHookHandler,
} from 'fastify';
import type { Logger } from 'pino';
import type { Configuration } from './configuration';
import { Connections } from './connections';
import type { Database } from './database';
import { answerTo, HttpError, ofStatus } from './errors';
import type { Health } from './health';
import { CONNECTIONS_MAX, KEEP_ALIVE_MS } from './limits';
import type { Metrics } from './metrics';
import { routeNotes } from './notes';

const HTTP_VERSIONS = new Set(['1.0', '1.1']);
const BODY_BYTES_MAX = 64 * 1024;
/** What is read of a refused body before the connection is closed on it. */
const DISCARD_BYTES_MAX = 16 * 1024 * 1024;
const DISCARD_MS = 2_000;

export interface Parts {
  readonly configuration: Configuration;
  readonly database: Database | undefined;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The HTTP API, with its limits, its one shape of errors, its log and its routes; its connections. */
export function createApp({ configuration, database, health, metrics, logger }: Parts) {
  const app = Fastify({
    logger: logger as FastifyBaseLogger,
    disableRequestLogging: true,
    bodyLimit: BODY_BYTES_MAX,
    serverFactory: (handle) => {
      const server = createServer((request, response) => {
        connections.admit(request, () => {
          const { httpVersion, method, socket } = request;
          if (!HTTP_VERSIONS.has(httpVersion)) {
            // The framework would answer with 505, as if that were a fault of the service.
            connections.refuse(socket, 400);
          } else if (method === 'QUERY') {
            // Newer than the framework, which would log it as a fault of its own.
            connections.refuse(socket, 405);
          } else {
            handle(request, response);
          }
        });
      });
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      return server;
    },
    // While it drains, a request that still arrives is answered like any other.
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: requestId,
    frameworkErrors: (error, request, reply) => {
      const { statusCode, body } = answerTo(error, String(request.id));
      void (reply as FastifyReply).code(statusCode).send(body);
    },
    clientErrorHandler: (error, socket) => {
      connections.refuse(socket, STATUS_OF_CLIENT_ERROR[error.code] ?? 400);
    },
  });
  const connections = new Connections(app.server, CONNECTIONS_MAX);
  app.server.on('connect', (_request, socket) => connections.refuse(socket, 405));
  app.server.on('checkExpectation', ({ socket }: IncomingMessage) =>
    connections.refuse(socket, 417),
  );

  acceptJsonOnly(app);
  answerErrorsInOneShape(app);
  const methods = methodsOfRoutes(app);
  tellRoutes(app);

  app.addHook('onSend', (request, reply, payload, done) => {
    reply.header('x-request-id', request.id);
    if (health.isDraining) {
      reply.header('connection', 'close');
    }
    done(null, payload);
  });

  app.addHook('onResponse', (request, reply, done) => {
    const milliseconds = reply.elapsedTime;
    const { method } = request;
    const { statusCode: status, route } = reply;
    metrics.answered({ method, route, status, seconds: milliseconds / 1_000 });
    // A load balancer asks every few seconds; health logs when the answer changes.
    if (route !== '/health') {
      // A fault of the service, what it needs that is away, and all else.
      const level = status < 500 ? 'info' : status === 503 ? 'warn' : 'error';
      // Without what follows the question mark, which may be anything.
      const [path] = request.url.split('?', 1);
      const durationMs = Math.round(milliseconds * 10) / 10;
      const code = reply.errorCode;
      request.log[level]({ method, path, status, ...(code && { code }), durationMs }, 'request');
    }
    done();
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
      .code(report.status === 'unavailable' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report);
  });

  routeNotes(app, database);
  refuseOtherMethods(app, methods);
  return { app, connections };
}

/** The load balancer's id for the request, so that its logs and ours can be read together. */
function requestId({ headers }: { headers: IncomingMessage['headers'] }): string {
  const trace = headers['x-amzn-trace-id'];
  return typeof trace === 'string' && /^[\w=;:.+/-]{1,256}$/.test(trace) ? trace : randomUUID();
}

/** What is sent is taken as it is: "1" is no number, and bytes that are not UTF-8 are no text. */
function acceptJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  app.removeAllContentTypeParsers();
  // The framework takes text for a beginning: "application/jsonx" would do.
  app.addContentTypeParser(
    /^application\/json\s*(;|$)/i,
    { parseAs: 'buffer' },
    (request, bytes, done) => {
      let text: string;
      try {
        text = decoder.decode(bytes as Buffer);
      } catch {
        done(new HttpError(400, 'invalid_json', 'The body is not UTF-8.'), undefined);
        return;
      }
      parse(request, text, (error, value) => {
        const refusal = new HttpError(400, 'invalid_json', 'The body is not valid JSON.');
        done(error ? refusal : null, value);
      });
    },
  );

  const options: Options = { allErrors: true, useDefaults: true, removeAdditional: false };
  const strict = new Ajv({ ...options, coerceTypes: false });
  // Everything in an address is text, and "Infinity" becomes a number, too: with `strictNumbers`, it
  // would be held against no limit.
  const lenient = new Ajv({ ...options, coerceTypes: true, strictNumbers: false });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : lenient).compile(schema as object),
  );
}

function answerErrorsInOneShape(app: FastifyInstance): void {
  app.setErrorHandler<HttpError>(answer);
  // It must not throw: where the address is malformed too, the framework calls it from outside of
  // all that handles errors, and the process would end.
  app.setNotFoundHandler((request, reply) => {
    const { code, message } = ofStatus(404);
    return answer(new HttpError(404, code, message), request, reply);
  });

  async function answer(error: HttpError, request: FastifyRequest, reply: FastifyReply) {
    const { statusCode, headers, body } = answerTo(error, request.id);
    reply.errorCode = body.error.code;
    await discardBody(request.raw);
    if (statusCode >= 500) {
      request.log[statusCode === 500 ? 'error' : 'warn']({ err: error.cause ?? error }, 'failed');
    }
    return reply.code(statusCode).headers(headers).send(body);
  }
}

/**
 * Reads what is left of a body that was refused: a connection closed on unread data is reset, and
 * the load balancer would answer 502 in place of the reason.
 */
async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) {
    return;
  }
  let bytes = 0;
  await new Promise<void>((done) => {
    const late = setTimeout(done, DISCARD_MS);
    finished(request, () => {
      clearTimeout(late);
      done();
    });
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > DISCARD_BYTES_MAX) {
        done();
      }
    });
  });
}

type Methods = ReadonlyMap<string, ReadonlySet<HTTPMethods>>;

/** The methods of each address that is routed from now on. */
function methodsOfRoutes(app: FastifyInstance): Methods {
  const methods = new Map<string, Set<HTTPMethods>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    [method].flat().forEach((name) => known.add(name));
    methods.set(url, known);
  });
  return methods;
}

declare module 'fastify' {
  interface FastifyReply {
    /** The address as it was declared, such as `/notes/:id`; `none` if there is no such route. */
    route: string;
    /** The code of the error that is answered with; empty if it is none. */
    errorCode: string;
  }
}

/** Sets `reply.route`: the framework makes an object with all of a route's options whenever it is asked. */
function tellRoutes(app: FastifyInstance): void {
  app.decorateReply('route', 'none');
  app.decorateReply('errorCode', '');
  app.addHook('onRoute', (options) => {
    const { url } = options;
    const tell: onRequestHookHandler = (_request, reply, done) => {
      reply.route = url;
      done();
    };
    options.onRequest = [tell, ...[options.onRequest ?? []].flat()];
  });
}

/** An address that exists answers to a method that it does not have with 405, not with 404. */
function refuseOtherMethods(app: FastifyInstance, methods: Methods): void {
  for (const [url, known] of [...methods]) {
    const allow = [...known].sort().join(', ');
    const refusal = async () => {
      const { code, message } = ofStatus(405);
      throw new HttpError(405, code, `${message} Allowed: ${allow}.`, { allow });
    };
    app.route({
      method: METHODS.filter((method) => !known.has(method)),
      url,
      // Before the body is read, which could only be refused for other reasons.
      onRequest: refusal,
      handler: refusal,
    });
  }
}

const METHODS: readonly HTTPMethods[] = [
  ...(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'] as const),
  ...(['COPY', 'LOCK', 'MKCOL', 'MOVE', 'PROPFIND', 'PROPPATCH', 'SEARCH', 'UNLOCK'] as const),
];

const STATUS_OF_CLIENT_ERROR: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431 };
