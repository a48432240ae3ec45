import { DatabaseError } from 'pg';
import { HttpError } from './errors';

/** The database cannot do its work now. `reason` tells nothing of where it is or who asks. */
export class DatabaseUnavailableError extends HttpError {
  constructor(
    readonly reason: string,
    options?: { cause: unknown },
  ) {
    const message = `Try again soon: ${reason}.`;
    super(503, 'database_unavailable', message, { 'retry-after': '1' });
    this.name = 'DatabaseUnavailableError';
    if (options) {
      this.cause = options.cause;
    }
  }
}

export const TOO_LONG = 'the database takes too long to answer';

/** The database refuses the user's name or password. */
export function isLoginRefused(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code?.startsWith('28') ?? false);
}

/**
 * Why the database could not do its work, or `undefined` when it could and `error` is an answer.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function whyUnavailable(error: unknown): string | undefined {
  if (error instanceof DatabaseUnavailableError) {
    return error.reason;
  }
  if (error instanceof DatabaseError) {
    const code = error.code ?? '';
    return REASON_OF_CODE[code] ?? REASON_OF_CODE[code.slice(0, 2)];
  }
  const { code, message, $metadata, cause } = error as {
    code?: string;
    message?: string;
    $metadata?: unknown;
    cause?: unknown;
  };
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
    return TOO_LONG;
  }
  if (message && /connection (terminated|ended)|not queryable/i.test(message)) {
    return 'the connection to the database was lost';
  }
  return cause instanceof Error ? whyUnavailable(cause) : undefined;
}

const REASON_OF_CODE: Readonly<Record<string, string>> = {
  '08': 'the connection to the database was lost',
  '25006': 'the database is read-only',
  '28': 'the database refuses the login',
  '3D': 'the database does not exist',
  '53': 'the database has no room for more',
  '57': 'the database is stopping or starting',
  '57014': TOO_LONG,
  '58': 'the database has a fault',
};
