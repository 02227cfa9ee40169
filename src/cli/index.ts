import type { Io } from './io.js';
import type { OfflineCommands } from './offline.js';
import { report } from './report.js';

export { type Io, processIo } from './io.js';
export type { OfflineCommands } from './offline.js';

/**
 * Runs one command and resolves with its exit status: 0 done, 1 refused or failed, 2 bad usage. Never rejects.
 * `argv` is without node and script. What is heavy is loaded by the command that needs it.
 */
export async function runCli(argv: readonly string[], io: Io, offline: OfflineCommands): Promise<number> {
  try {
    const client = clientCommand(argv);
    if (client) return await offline[client.name](client.argv);
    const { runProgram } = await import('./program.js');
    return await runProgram(argv, io, offline);
  } catch (error) {
    return report(error, io);
  }
}

/** A command of the client, and its words as they stand there, `--json` before it among them: the client reads its own options. */
function clientCommand(argv: readonly string[]) {
  const before: string[] = [];
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? '';
    const isJson = word === '--json';
    if (isJson) before.push(word);
    if (word === '--config') at += 2;
    else if (isJson || word.startsWith('--config=')) at += 1;
    else break;
  }
  const [first, second] = argv.slice(at);
  if (isClient(first)) return { name: first, argv: [...before, ...argv.slice(at + 1)] };
  if (first === 'help' && isClient(second)) return { name: second, argv: ['--help'] };
  return undefined;
}

function isClient(word: string | undefined): word is 'knock' | 'pair' {
  return word === 'knock' || word === 'pair';
}
