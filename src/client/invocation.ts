import { randomInt } from 'node:crypto';
import type { Family } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { RandomInt, Sequence } from '../core/sequence.js';
import type { Monotonic } from '../core/time.js';
import type { Destination, KnockHost } from './host.js';
import type { KnockWorld } from './knock.js';
import { codeOf, systemNetwork } from './network.js';
import type { PortsSource } from './options.js';
import { type PortsFile, readPortsFile, readSequence } from './ports-source.js';
import { createProgress, type Environment, type Output, type Progress, silentProgress } from './terminal.js';

/** What a command writes to and is set by; `process` has all of it. */
export interface ClientIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
}

/** What a command does things with; handed in by tests. */
export interface ClientWorld extends KnockWorld {
  readonly random: RandomInt;
  readPortsFile(path: string): Promise<PortsFile>;
}

export const systemWorld: ClientWorld = {
  network: systemNetwork,
  pace: {
    monotonic: () => performance.now() as Monotonic,
    sleep: (wait) => new Promise((resolve) => setTimeout(resolve, wait)),
    jitter: Math.random,
  },
  random: (bound) => randomInt(bound),
  readPortsFile,
};

/** How a command tells what it does; silent where it was asked for JSON or for quiet. */
export interface Telling {
  readonly progress: Progress;
  note(text: string): void;
}

/**
 * Runs a command of the client: its help, or its work, or the one line of its error.
 * @returns the exit code: what `work` gives, 1 failed, 2 bad usage
 */
export async function invoke<Options extends { readonly json: boolean; readonly quiet: boolean }>(
  io: ClientIo,
  { parse, help }: { readonly parse: () => Options | 'help'; readonly help: string },
  work: (options: Options, telling: Telling) => Promise<number>,
): Promise<number> {
  let progress = silentProgress;
  try {
    const options = parse();
    if (options === 'help') {
      io.stdout.write(help);
      return 0;
    }
    const isSilent = options.json || options.quiet;
    if (!isSilent) progress = createProgress(io.stderr, io.env);
    const note = (text: string) => {
      if (!isSilent) io.stderr.write(`Note: ${text}\n`);
    };
    return await work(options, { progress, note });
  } catch (error) {
    progress.stop();
    if (!(error instanceof SallyportError)) throw error;
    io.stderr.write(`${error.toLine()}\n`);
    return error.usage ? 2 : 1;
  }
}

/** @throws SP_SEQUENCE_INVALID, SP_CLIENT_PORTS_FILE */
export async function readPorts(source: PortsSource, world: ClientWorld, telling: Telling): Promise<Sequence> {
  if ('text' in source) return readSequence(source.text);
  const { text, exposed } = await world.readPortsFile(source.file);
  if (exposed) telling.note('others on this machine can read the file with your ports; chmod 600 closes it to them.');
  return readSequence(text);
}

/**
 * Where to knock: the address given; of a name the first address of each family, in the resolver's order, or of the family asked
 * for alone.
 * @throws SP_CLIENT_NAME_UNKNOWN
 */
export async function findDestinations(
  host: KnockHost,
  family: Family | undefined,
  world: ClientWorld,
  telling: Telling,
): Promise<readonly Destination[]> {
  if (host.kind === 'address') return [{ address: host.text, family: host.family }];
  telling.progress.say(`Looking up ${host.text}`);
  const wanted = family === undefined ? 'address' : `IPv${family} address`;
  const unknown = (code: string, cause?: unknown) =>
    new SallyportError('SP_CLIENT_NAME_UNKNOWN', { host: host.text, wanted, code }, cause);
  let found: readonly Destination[];
  try {
    found = await world.network.lookup(host.text);
  } catch (error) {
    throw unknown(codeOf(error), error);
  }
  const suitable = found.filter((item) => family === undefined || item.family === family);
  const firsts = suitable.filter((item, i) => suitable.findIndex((other) => other.family === item.family) === i);
  if (firsts.length === 0) throw unknown('ENODATA');
  return firsts;
}

/** Said where a knock was refused. */
export const REFUSED_KNOCK =
  'the knock itself was refused. A gateway never answers it: another machine may have this address, or the gateway is not running.';
