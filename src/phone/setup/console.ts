import { execFile } from 'node:child_process';
import { join } from 'node:path';

const PATIENCE_MS = 5000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What makes Asterisk take what was written, each a command of its own console. */
export const RELOADS = ['dialplan reload', 'module reload http', 'module reload res_ari.so', 'manager reload'] as const;

export type ConsoleAnswer =
  | { readonly ok: true; readonly text: string }
  /** In plain words; it may be that Asterisk does not run, is not installed, or is not ours to talk to. */
  | { readonly ok: false; readonly problem: string };

/** The words of a command line that gives `line` to Asterisk's console. */
export function consoleCommand(directory: string, line: string): readonly string[] {
  const where = directory === '/etc/asterisk' ? [] : ['-C', join(directory, 'asterisk.conf')];
  return ['asterisk', ...where, '-rx', line];
}

/** Gives a line to the console of the running Asterisk, as a vector of arguments: no shell reads it. Never rejects. */
export function askConsole(directory: string, line: string): Promise<ConsoleAnswer> {
  const [program = '', ...args] = consoleCommand(directory, line);
  const env = { PATH: process.env.PATH ?? PATH, LC_ALL: 'C' };
  return new Promise((resolve) => {
    // A console that waits for a frozen Asterisk does not end for less.
    const limits = { timeout: PATIENCE_MS, killSignal: 'SIGKILL', maxBuffer: 8 << 20 } as const;
    execFile(program, args, { ...limits, env }, (error, stdout, stderr) => {
      const text = stdout.trim();
      if (error === null && !/^(No such command|Unable to connect)/m.test(text)) resolve({ ok: true, text });
      else resolve({ ok: false, problem: problemOf(error, text || stderr.trim()) });
    });
  });
}

function problemOf(error: (Error & { code?: unknown; killed?: boolean }) | null, said: string): string {
  if (error?.code === 'ENOENT') return 'the program asterisk is not there';
  if (error?.killed === true) return 'its console did not answer in time';
  return said.split('\n').at(-1)?.slice(0, 160) || 'its console did not answer';
}
