import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Io } from './io.js';
import { Interrupted } from './report.js';

const LONGEST = 1024;

/**
 * Reads one line of standard input that is nobody else's business. On a terminal it asks for it by `prompt` and shows
 * nothing of what is typed.
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  return io.stdin.isTTY ? ask(io, prompt) : firstLine(io);
}

function ask(io: Io, prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  io.stderr.write(prompt);
  return new Promise<string>((resolve, reject) => {
    reader.once('line', resolve);
    reader.once('SIGINT', () => reject(new Interrupted('interrupted')));
    reader.once('close', () => resolve(''));
  }).finally(() => {
    reader.close();
    io.stderr.write('\n');
  });
}

async function firstLine(io: Io): Promise<string> {
  let text = '';
  for await (const piece of io.stdin) {
    text += String(piece);
    if (text.includes('\n') || text.length > LONGEST) break;
  }
  return (text.split('\n', 1)[0] ?? '').slice(0, LONGEST).trim();
}
