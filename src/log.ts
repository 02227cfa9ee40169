import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './config/config.js';
import { SallyportError } from './core/errors.js';

/** The daemon's log: JSON lines, or readable ones on a terminal. Synchronous, so that the last words are not lost. */
export function createLog(level: LogLevel): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describe },
  };
  if (!process.stdout.isTTY) return pino(options, pino.destination({ fd: 1, sync: true }));
  const colorize = !process.env.NO_COLOR;
  return pino(options, pretty({ sync: true, colorize, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }));
}

/** An error with its code and its cause, which is for the log alone. Where it was thrown matters only for what has no code. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof SallyportError)) return { ...inWords(error), stack: error.stack };
  return { ...inWords(error), code: error.code };
}

function inWords({ name, message, cause }: Error): object {
  if (cause === undefined) return { type: name, message };
  return { type: name, message, cause: cause instanceof Error ? inWords(cause) : String(cause) };
}
