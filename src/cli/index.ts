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
    const knock = knockArguments(argv);
    if (knock) return await offline.knock(knock);
    const { runProgram } = await import('./program.js');
    return await runProgram(argv, io, offline);
  } catch (error) {
    return report(error, io);
  }
}

/** What stands after `knock`, as it stands there: the client reads its own options. */
function knockArguments(argv: readonly string[]): readonly string[] | undefined {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? '';
    if (word === '--config') at += 2;
    else if (word === '--json' || word.startsWith('--config=')) at += 1;
    else break;
  }
  if (argv[at] === 'knock') return argv.slice(at + 1);
  if (argv[at] === 'help' && argv[at + 1] === 'knock') return ['--help'];
  return undefined;
}
