/**
 * The health check of the image: ends with status 0 if the service in the same container is healthy.
 * Reads the same variables as the service, and loads nothing else: it runs every few seconds.
 */
import { get } from 'node:http';
import { DEFAULT_HOST, DEFAULT_PORT } from './limits';

/** Where a service that listens on any address of its machine is reached from that machine. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

// Empty means not set.
const listensOn = process.env['HOST'] || DEFAULT_HOST;
const port = process.env['PORT'] || DEFAULT_PORT;
get({ host: LOOPBACK[listensOn] ?? listensOn, port, path: '/health' }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
).on('error', () => process.exit(1));
