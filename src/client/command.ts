import { SallyportError } from '../core/errors.js';
import type { Monotonic } from '../core/time.js';
import { KNOCK_HELP } from './help.js';
import type { Destination } from './host.js';
import { type KnockOutcome, type KnockPlan, type KnockWorld, knock } from './knock.js';
import { codeOf, type KnockNetwork, systemNetwork } from './network.js';
import { type KnockOptions, parseKnockOptions } from './options.js';
import { type PortsFile, readPortsFile, readSequence } from './ports-source.js';
import {
  createProgress,
  describe,
  type Environment,
  isColored,
  type Output,
  type Progress,
  paint,
  silentProgress,
} from './terminal.js';

/** What the command writes to and is set by; `process` has all of it. */
export interface ClientIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
}

/** What the command does things with; handed in by tests. */
export interface ClientWorld extends KnockWorld {
  readPortsFile(path: string): Promise<PortsFile>;
}

const systemWorld: ClientWorld = {
  network: systemNetwork,
  pace: {
    monotonic: () => performance.now() as Monotonic,
    sleep: (wait) => new Promise((resolve) => setTimeout(resolve, wait)),
    jitter: Math.random,
  },
  readPortsFile,
};

/**
 * `sallyport knock`: sends a knock, waits for a port where asked to, and says how it went: the result on stdout, progress
 * and errors on stderr.
 * @returns the exit code: 0 done, 1 failed, 2 bad usage
 */
export async function runKnock(argv: readonly string[], io: ClientIo, world = systemWorld): Promise<number> {
  let progress = silentProgress;
  try {
    const options = parseKnockOptions(argv, io.env);
    if (options === 'help') {
      io.stdout.write(KNOCK_HELP);
      return 0;
    }
    if (!options.json && !options.quiet) progress = createProgress(io.stderr, io.env);
    return await perform(options, io, world, progress);
  } catch (error) {
    progress.stop();
    if (!(error instanceof SallyportError)) throw error;
    io.stderr.write(`${error.toLine()}\n`);
    return error.usage ? 2 : 1;
  }
}

async function perform(options: KnockOptions, io: ClientIo, world: ClientWorld, progress: Progress): Promise<number> {
  const note = (text: string) => {
    if (!options.quiet && !options.json) io.stderr.write(`Note: ${text}\n`);
  };
  const sequence = await readPorts(options.ports, world, note);
  const { host, wait, family, delay, tries } = options;
  if (host.kind === 'name') progress.say(`Looking up ${host.text}`);
  const destinations =
    host.kind === 'name'
      ? await findDestinations(host.text, family, world.network)
      : [{ address: host.text, family: host.family }];
  const plan: KnockPlan = {
    host: host.text,
    destinations,
    sequence,
    delay,
    tries,
    ...(wait === undefined ? {} : { wait }),
  };
  const port = wait === undefined ? '' : `tcp/${wait}`;
  const outcome = await knock(plan, world, (event) => progress.say(describe(event, tries, port)));
  progress.stop();

  if (options.json) io.stdout.write(`${JSON.stringify(toJson(host.text, outcome))}\n`);
  if (outcome.knockRefused) {
    note(
      'the knock itself was refused. A gateway never answers it: another machine may have this address, or the gateway is not running.',
    );
  }
  if (outcome.open === false) {
    const count = outcome.tries === 1 ? '1 try' : `${outcome.tries} tries`;
    throw new SallyportError('SP_CLIENT_STILL_SHUT', { port, host: host.text, tries: count });
  }
  if (!options.json && !options.quiet) {
    const { green, yellow } = paint(isColored(io.stdout, io.env));
    const [head, rest] = verdict(outcome, host.text, port, sequence.length);
    io.stdout.write(`${outcome.open === true ? green(head) : yellow(head)} ${rest}\n`);
  }
  return 0;
}

async function readPorts(source: KnockOptions['ports'], world: ClientWorld, note: (text: string) => void) {
  if ('text' in source) return readSequence(source.text);
  const { text, exposed } = await world.readPortsFile(source.file);
  if (exposed) note('others on this machine can read the file with your ports; chmod 600 closes it to them.');
  return readSequence(text);
}

/** The first address of each family, in the resolver's order; of the family asked for alone, where one is. */
async function findDestinations(
  name: string,
  family: 4 | 6 | undefined,
  network: KnockNetwork,
): Promise<Destination[]> {
  const wanted = family === undefined ? 'address' : `IPv${family} address`;
  let found: readonly Destination[];
  try {
    found = await network.lookup(name);
  } catch (error) {
    throw new SallyportError('SP_CLIENT_NAME_UNKNOWN', { host: name, wanted, code: codeOf(error) }, error);
  }
  const suitable = found.filter((item) => family === undefined || item.family === family);
  const firsts = suitable.filter((item, i) => suitable.findIndex((other) => other.family === item.family) === i);
  if (firsts.length === 0) throw new SallyportError('SP_CLIENT_NAME_UNKNOWN', { host: name, wanted, code: 'ENODATA' });
  return firsts;
}

/** `open` is null where no port was waited for; the rest adds to it, where it is true. */
function toJson(host: string, outcome: KnockOutcome): Record<string, unknown> {
  const { address, addresses, open, refused, alreadyOpen, tries, elapsed } = outcome;
  return {
    host,
    address,
    addresses,
    open,
    already_open: open === true ? alreadyOpen : null,
    listening: open === true ? !refused : null,
    tries,
    elapsed_ms: Math.round(elapsed),
  };
}

/** The result in plain words: a head that may be coloured, and the rest. */
function verdict(outcome: KnockOutcome, host: string, port: string, packets: number): readonly [string, string] {
  const { address, addresses, open, refused, alreadyOpen, tries, elapsed } = outcome;
  const named = (text: string) => (host === text ? host : `${host} (${text})`);
  if (open === null) {
    return [
      'Sent.',
      `${packets} packets went to ${named(addresses.join(' and '))}. Nothing answers a knock, so whether it opened anything cannot be known from here: connect to see, or knock with --wait and the port you want, such as --wait tcp/22.`,
    ];
  }
  const place = `${port} on ${named(address)}`;
  if (alreadyOpen && refused) {
    return [
      'Reachable, it seems.',
      `${place} refused a connection before the knock and after it: either it was open already and nothing listens there, or something on the way refuses it.`,
    ];
  }
  if (alreadyOpen) {
    return [
      'Already open.',
      `${place} answered before the knock. The knock was sent all the same; whether it renewed your time cannot be seen from here.`,
    ];
  }
  const effort = `${tries === 1 ? 'one try' : `${tries} tries`}, ${(elapsed / 1000).toFixed(1)} s`;
  if (refused) {
    return ['Open.', `You are let in, but nothing listens: ${place} refuses the connection (${effort}).`];
  }
  return ['Open.', `${place} answers (${effort}).`];
}
