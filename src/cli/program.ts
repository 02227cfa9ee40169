import { Command, CommanderError } from 'commander';
import { SallyportError } from '../core/errors.js';
import { Call } from './call.js';
import type { Io } from './io.js';
import type { OfflineCommands } from './offline.js';
import { type Spec, textOption } from './spec.js';
import { ACCESS } from './specs/access.js';
import { DAEMON } from './specs/daemon.js';
import { FIREWALL } from './specs/firewall.js';
import { IMPORT } from './specs/import.js';
import { PHONE } from './specs/phone.js';
import { PROVIDERS } from './specs/providers.js';
import { USERS } from './specs/users.js';

const GROUPS: Readonly<Record<string, readonly [heading: string, summary: string]>> = {
  user: ['Access:', 'who may knock: add, set, list, show, remove, card, rotate'],
  provider: ['Access:', 'VoIP providers that are let in: list, show, enable, disable'],
  firewall: ['Firewall:', 'the guard: status, plan, apply, confirm, rollback, restore, panic'],
  phone: ['Setting up:', 'the telephone menu: install, test'],
};

/** The width of help where the output has none of its own. */
const HELP_WIDTH = 100;

type Run = (spec: Spec, command: Command) => Promise<void>;

/** Reads the words of a command, runs it, and resolves with its exit status. @throws SP_USAGE, and what the command throws */
export async function runProgram(argv: readonly string[], io: Io, offline: OfflineCommands): Promise<number> {
  let status = 0;
  const program = buildProgram(io, async (spec, command) => {
    const { config = io.env.SALLYPORT_CONFIG, json } = command.optsWithGlobals<{ config?: string; json?: boolean }>();
    const call = new Call({
      io,
      offline,
      args: command.args,
      options: command.opts(),
      config: config === '' ? undefined : config,
      json: json === true,
    });
    status = await spec.run(call);
  });
  try {
    await program.parseAsync(argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw new SallyportError('SP_USAGE', { problem: problemOf(error) });
  }
  return status;
}

/** All commands, with `run` for what is called. */
export function buildProgram(io: Pick<Io, 'stdout' | 'version'>, run: Run): Command {
  const program = new Command('sallyport')
    .description('An access gateway: nothing answers strangers, and a knock opens chosen ports for a while.')
    .version(io.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .usage('<command> [options]')
    .configureHelp({ subcommandTerm })
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stdout.write(text),
      outputError: () => {},
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? HELP_WIDTH, HELP_WIDTH),
      getErrHelpWidth: () => Math.min(io.stdout.columns ?? HELP_WIDTH, HELP_WIDTH),
      getOutHasColors: () => false,
    });
  common(program);
  const groups = new Map<string, Command>();
  for (const spec of [...DAEMON, ...IMPORT, ...ACCESS, ...USERS, ...PROVIDERS, ...FIREWALL, ...PHONE, ...CLIENT]) {
    const words = spec.name.split(' ');
    const name = words.pop() ?? '';
    const parent = words[0] === undefined ? program : (groups.get(words[0]) ?? addGroup(program, groups, words[0]));
    addCommand(parent, name, spec, run);
  }
  program.addHelpText('after', `\n${EPILOGUE}`);
  return program;
}

/** They read their words themselves; these are for the list of commands. */
const CLIENT: readonly Spec[] = [
  {
    name: 'knock',
    takes: '<host>',
    group: 'Client:',
    summary: 'knock on a gateway from here; see sallyport knock --help',
    speechless: true,
    run: (call) => call.offline.knock(call.args),
  },
  {
    name: 'pair',
    takes: '<host>',
    group: 'Client:',
    summary: 'ask a gateway to be let in by a call, with a code; see sallyport pair --help',
    speechless: true,
    run: (call) => call.offline.pair(call.args),
  },
];

/** A command as a list shows it: its name and arguments. */
function subcommandTerm(command: Command): string {
  const words = command.registeredArguments.map((argument) => `<${argument.name()}>`);
  return [command.name(), ...(command.commands.length > 0 ? ['<command>'] : words)].join(' ');
}

const EPILOGUE = `Exit status: 0 done, 1 refused or failed, 2 bad usage. An error is one line on stderr: a code and what to do.
Every command has a --help of its own.`;

function addGroup(program: Command, groups: Map<string, Command>, name: string): Command {
  const [heading, summary] = GROUPS[name] ?? ['Commands:', ''];
  const group = program
    .command(name)
    .summary(summary)
    .description(sentence(summary))
    .usage('<command> [options]')
    .helpCommand(false)
    .helpGroup(heading);
  common(group);
  groups.set(name, group);
  return group;
}

function addCommand(parent: Command, name: string, spec: Spec, run: Run): void {
  const command = parent
    .command(name)
    .summary(spec.summary)
    .description(spec.about ?? sentence(spec.summary));
  if (spec.group !== undefined) command.helpGroup(spec.group);
  for (const word of spec.takes?.split(' ') ?? []) {
    const argument = command.createArgument(word, spec.arguments?.[word.slice(1, -1)]);
    command.addArgument(argument.argParser((text: string) => notEmpty(text, argument.name())));
  }
  for (const each of spec.options ?? []) command.addOption(each);
  common(command, spec.speechless);
  if (spec.examples) {
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`);
  }
  command.action(() => run(spec, command));
}

/** What every command takes, before or after its name. */
function common(command: Command, speechless = false): void {
  command.addOption(
    textOption('--config <file>', 'the configuration (default: SALLYPORT_CONFIG, or /etc/sallyport/sallyport.yaml)'),
  );
  if (!speechless) command.option('--json', 'print JSON for other programs');
}

function notEmpty(text: string, name: string): string {
  if (text.trim() === '') throw new SallyportError('SP_USAGE', { problem: `${name} is empty` });
  return text;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Commander's message as part of one line, without the values of options: one of them may be a secret. */
function problemOf({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'a command is missing';
  return message
    .replace(/^error: /, '')
    .replace(/(--[\w-]+)=[^'\s]*/g, '$1')
    .replace(/\s+/g, ' ')
    .replace(/\.$/, '');
}
