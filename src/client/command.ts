import { SallyportError } from '../core/errors.js';
import { KNOCK_HELP } from './help.js';
import {
  type ClientIo,
  type ClientWorld,
  findDestinations,
  invoke,
  REFUSED_KNOCK,
  readPorts,
  systemWorld,
  type Telling,
} from './invocation.js';
import { type KnockOutcome, type KnockPlan, knock } from './knock.js';
import { type KnockOptions, parseKnockOptions } from './options.js';
import { describe, isColored, paint } from './terminal.js';

/**
 * `sallyport knock`: sends a knock, waits for a port where asked to, and says how it went: the result on stdout, progress
 * and errors on stderr.
 * @returns the exit code: 0 done, 1 failed, 2 bad usage
 */
export async function runKnock(argv: readonly string[], io: ClientIo, world = systemWorld): Promise<number> {
  const command = { parse: () => parseKnockOptions(argv, io.env), help: KNOCK_HELP };
  return await invoke(io, command, (options, telling) => perform(options, io, world, telling));
}

async function perform(options: KnockOptions, io: ClientIo, world: ClientWorld, telling: Telling): Promise<number> {
  const { host, wait, family, delay, tries } = options;
  const sequence = await readPorts(options.ports, world, telling);
  const destinations = await findDestinations(host, family, world, telling);
  const plan: KnockPlan = {
    host: host.text,
    destinations,
    sequence,
    delay,
    tries,
    ...(wait === undefined ? {} : { wait }),
  };
  const port = wait === undefined ? '' : `tcp/${wait}`;
  const outcome = await knock(plan, world, (event) => telling.progress.say(describe(event, tries, port)));
  telling.progress.stop();

  if (options.json) io.stdout.write(`${JSON.stringify(toJson(host.text, outcome))}\n`);
  if (outcome.knockRefused) telling.note(REFUSED_KNOCK);
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
