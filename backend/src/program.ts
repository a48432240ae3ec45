import pino, { type Logger } from 'pino';
import { ConfigurationError } from './configuration';

/** Reads the environment and runs; ends with status 1 after an error that nothing handled. */
export function startProgram<Configuration extends { readonly logLevel: string }>(
  read: (environment: NodeJS.ProcessEnv) => Configuration,
  run: (configuration: Configuration, logger: Logger) => Promise<void>,
): void {
  let configuration: Configuration;
  try {
    configuration = read(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) {
      throw error;
    }
    const logger = createLogger('error');
    error.messages.forEach((message) => logger.fatal(message));
    process.exitCode = 1;
    return;
  }
  const logger = createLogger(configuration.logLevel);
  // Nobody knows what state it is in now: ECS starts another in its place.
  const crash = (error: unknown) => {
    logger.fatal({ err: error }, 'ending after an error that nothing handled');
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  void run(configuration, logger);
}

function createLogger(level: string): Logger {
  // A write for every line would take a third of a request's time. The buffer is written when it is
  // full, ten times a second, after what is fatal, and on exit. It is small, because all that is in
  // it is counted anew for every line.
  const output = pino.destination({ sync: true, minLength: 2_048, periodicFlush: 100 });
  process.once('exit', () => output.flushSync());
  const options = {
    level,
    // The process and host say nothing in a container; a level is easier found by its name.
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(options, output);
}
