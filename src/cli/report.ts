import { errorLine, isSallyportError, SallyportError } from '../core/errors.js';
import type { Io } from './io.js';
import { clean } from './text.js';

/** Ctrl-C at a prompt. */
export class Interrupted extends Error {}

/** A refusal of the daemon, in its words. Its code may be of a version that this one does not know. */
export class DaemonError extends Error {
  readonly code: string;
  readonly fix: string;
  /** True where the daemon was asked wrongly (exit status 2). */
  readonly usage: boolean;

  constructor(code: string, message: string, fix: string, usage: boolean) {
    super(message);
    this.code = code;
    this.fix = fix;
    this.usage = usage;
  }

  toLine(): string {
    return clean(errorLine(this));
  }
}

/** Prints what was thrown as one line on stderr and gives the exit status for it. */
export function report(error: unknown, io: Io): number {
  if (error instanceof Interrupted) return 130;
  if (isSallyportError(error) || error instanceof DaemonError) {
    io.stderr.write(`${error.toLine()}\n`);
    if (isDebugging(io) && error.cause instanceof Error) io.stderr.write(`${error.cause.stack}\n`);
    return error.usage ? 2 : 1;
  }
  const problem = error instanceof Error ? error.message : String(error);
  io.stderr.write(`${new SallyportError('SP_COMMAND_FAILED', { problem }).toLine()}\n`);
  if (isDebugging(io) && error instanceof Error) io.stderr.write(`${error.stack}\n`);
  return 1;
}

function isDebugging(io: Io): boolean {
  return (io.env.SALLYPORT_DEBUG ?? '') !== '';
}
