#!/usr/bin/env node
import { SallyportError } from '../core/errors.js';
import { runKnock } from './command.js';
import { untilInterrupted } from './interrupt.js';
import { runPair } from './pair-command.js';

/** The client alone, in one file: `sallyport-client.mjs knock …` does what `sallyport knock …` does, and so does `pair`. */
const HELP = `Usage: sallyport-client knock HOST --ports LIST [--wait tcp/PORT]
       sallyport-client pair HOST --ports LIST [--wait tcp/PORT] [--extension NUMBER]

Knocks on a Sallyport gateway, or asks to be let in by a call. sallyport-client knock --help says how, and so does pair.
`;

async function main([command, ...rest]: readonly string[]): Promise<number> {
  if (command === 'knock') return runKnock(rest, process);
  if (command === 'pair') return runPair(rest, process, untilInterrupted());
  if (command === '--help' || command === '-h') {
    process.stdout.write(HELP);
    return 0;
  }
  const problem = command === undefined ? 'a command is missing: knock or pair' : 'the commands are knock and pair';
  process.stderr.write(`${new SallyportError('SP_USAGE', { problem }).toLine()}\n`);
  return 2;
}

// Setting the title overwrites the arguments in the process list, and so the ports that may stand there.
process.title = 'sallyport-client';
// A reader that went away (a closed pipe) is no reason for a stack trace.
process.stdout.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
