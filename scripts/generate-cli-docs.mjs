// Writes docs/cli.md from the --help of every command. With --check it writes nothing and exits with 1 where the committed
// file is not what would be written. Needs a build (dist/cli, dist/client).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { buildProgram } from '../dist/cli/program.js';
import { KNOCK_HELP, PAIR_HELP } from '../dist/client/help.js';

const file = new URL('../docs/cli.md', import.meta.url);
/** The client's commands have a help of their own. */
const CLIENT_HELP = new Map([
  ['sallyport knock', KNOCK_HELP],
  ['sallyport pair', PAIR_HELP],
]);
const [option, ...rest] = process.argv.slice(2);

if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error('usage: node scripts/generate-cli-docs.mjs [--check]');
  process.exitCode = 2;
} else if (option === '--check') {
  if (current() !== markdown()) {
    console.error('docs/cli.md is stale; run: node scripts/generate-cli-docs.mjs');
    process.exitCode = 1;
  }
} else {
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, markdown());
}

function markdown() {
  const program = buildProgram({ stdout: { write: () => {} }, version: '' }, async () => {});
  const sections = [...commands(program)].map(
    ([name, help]) => `## ${name}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`,
  );
  return `# The commands\n\nThis is what \`--help\` prints, written by \`scripts/generate-cli-docs.mjs\`.\n\n${sections.join('\n')}`;
}

/** Name and help of a command and of all under it, in the order in which the help lists them. */
function* commands(command, prefix = []) {
  const words = [...prefix, command.name()];
  const name = words.join(' ');
  yield [name, CLIENT_HELP.get(name) ?? helpOf(command)];
  for (const inner of command.commands) yield* commands(inner, words);
}

/** The whole help, with what is added after it. */
function helpOf(command) {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text;
}

function current() {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
