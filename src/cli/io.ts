import type { Readable } from 'node:stream';
import type { UserCard } from '../control/contract/views.js';
import { SallyportError } from '../core/errors.js';

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Input extends Readable {
  readonly isTTY?: boolean;
}

/** What a command reads and writes beside the daemon. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** The text of a user's card, for a terminal. */
  renderCard(card: UserCard): string | Promise<string>;
  /** Calls `listener` on Ctrl-C instead of dying of it, until the function that it returns is called. */
  onInterrupt(listener: () => void): () => void;
}

/**
 * The input and output of this process. A reader that goes away (`sallyport log | head`) ends it quietly, output that cannot be
 * written (a full disk) with a line that says so.
 */
export function processIo(own: Pick<Io, 'version' | 'renderCard'>): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    const { code: reason = error.message } = error;
    process.stderr.write(`${new SallyportError('SP_OUTPUT_UNWRITABLE', { reason }).toLine()}\n`);
    process.exit(1);
  });
  return {
    ...own,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  };
}
