import { type Logger, pino } from 'pino';
import type { LogLevel } from './config/config.js';
import { SallyportError } from './core/errors.js';
import { LineWriter } from './line-writer.js';

/** How long the end of the daemon waits for a reader that does not keep up, in milliseconds. */
const LAST_WORDS_MS = 1000;

export interface DaemonLog {
  readonly log: Logger;
  /** Hands over what was said last, within a second; what is said after it goes nowhere. */
  close(): Promise<void>;
}

/** The daemon's log on standard output: JSON lines, or readable ones on a terminal. Nobody ever waits for its reader. */
export async function createLog(level: LogLevel): Promise<DaemonLog> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describe },
  };
  const format = process.stdout.isTTY ? await forPeople() : (line: string) => line;
  const writer = new LineWriter({
    fd: 1,
    onLost: (lines) => log.warn({ lines }, 'nobody read the log; lines of it are lost'),
  });
  const log = pino(options, { write: (line) => writer.write(format(line)) });
  return { log, close: () => writer.close(LAST_WORDS_MS) };
}

async function forPeople(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({
    colorize: !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  });
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
