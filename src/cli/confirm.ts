import { createInterface } from 'node:readline';
import type { Io } from './io.js';
import { Interrupted } from './report.js';

/** Asks a yes-or-no question on the terminal. Anything but a yes is a no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  const reader = createInterface({ input: io.stdin, terminal: false });
  io.stderr.write(`${question} [y/N] `);
  const release = io.onInterrupt(() => reader.emit('SIGINT'));
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      reader.once('line', resolve);
      reader.once('SIGINT', () => reject(new Interrupted('interrupted')));
      reader.once('close', () => resolve(''));
    });
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    release();
    reader.close();
  }
}
