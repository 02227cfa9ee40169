import type { Family } from '../core/address.js';
import { type Port, parsePortRange } from '../core/ports.js';
import { type Duration, millis, parseDuration } from '../core/time.js';
import { type KnockHost, parseHost } from './host.js';
import { readWords, usage, type Words } from './words.js';

/** Where a sequence comes from: its text, or the path of a file. */
export type PortsSource = { readonly text: string } | { readonly file: string };

/** What every command line that knocks asks for. */
interface SharedOptions {
  readonly host: KnockHost;
  readonly ports: PortsSource;
  readonly wait: Port | undefined;
  readonly family: Family | undefined;
  readonly delay: Duration;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** What a `sallyport knock` command line asks for. */
export interface KnockOptions extends SharedOptions {
  readonly tries: number;
}

/** What a `sallyport pair` command line asks for. */
export interface PairOptions extends SharedOptions {
  /** The number to call, where it is given. */
  readonly extension: string | undefined;
}

const DEFAULT_DELAY = millis(150);
const DEFAULT_TRIES = 3;
const LONGEST_DELAY = millis(5000);
const MOST_TRIES = 10;

const SHARED = {
  ports: { type: 'string' },
  'ports-file': { type: 'string' },
  wait: { type: 'string' },
  ipv4: { type: 'boolean', short: '4' },
  ipv6: { type: 'boolean', short: '6' },
  delay: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
  // Every command of sallyport takes it; the client has no configuration and leaves it unread.
  config: { type: 'string' },
} as const;

const KNOCK_OPTIONS = { ...SHARED, tries: { type: 'string' } } as const;
const PAIR_OPTIONS = { ...SHARED, extension: { type: 'string' } } as const;

type Env = Readonly<Record<string, string | undefined>>;
type SharedWords = Words<keyof typeof KNOCK_OPTIONS | keyof typeof PAIR_OPTIONS>;

/**
 * Reads the arguments after `knock`. No error repeats a word that may be a sequence.
 * @throws SP_USAGE, SP_DURATION_INVALID, and what parseHost throws
 */
export function parseKnockOptions(argv: readonly string[], env: Env): KnockOptions | 'help' {
  const words = readWords(argv, KNOCK_OPTIONS);
  if (words.flags.has('help')) return 'help';
  if (!words.values.has('wait') && words.values.has('tries')) {
    throw usage('--tries needs --wait, or there is nothing to try for');
  }
  return { ...readShared(words, env), tries: readTries(words.values.get('tries')) };
}

/**
 * Reads the arguments after `pair`. No error repeats a word that may be a sequence.
 * @throws SP_USAGE, SP_DURATION_INVALID, and what parseHost throws
 */
export function parsePairOptions(argv: readonly string[], env: Env): PairOptions | 'help' {
  const words = readWords(argv, PAIR_OPTIONS);
  if (words.flags.has('help')) return 'help';
  return { ...readShared(words, env), extension: readExtension(words.values.get('extension')) };
}

function readShared({ flags, values, positionals }: SharedWords, env: Env): SharedOptions {
  const host = readHost(positionals);
  return {
    host,
    family: readFamily(flags, host),
    wait: readWait(values.get('wait')),
    ports: readPortsOption(values, env),
    delay: readDelay(values.get('delay')),
    json: flags.has('json'),
    quiet: flags.has('quiet'),
  };
}

function readHost(positionals: readonly string[]): KnockHost {
  const [host, ...more] = positionals;
  if (host === undefined) throw usage('name the HOST to knock on');
  if (more.length > 0) throw usage('give one HOST; the ports go after --ports, with commas and no spaces');
  if (/[/,]/.test(host)) throw usage('HOST is missing, or is not a host; the ports go after --ports');
  return parseHost(host);
}

function readFamily(flags: SharedWords['flags'], host: KnockHost): Family | undefined {
  if (flags.has('ipv4') && flags.has('ipv6')) throw usage('-4 and -6 exclude each other');
  const family = flags.has('ipv4') ? 4 : flags.has('ipv6') ? 6 : undefined;
  if (family !== undefined && host.kind === 'address' && host.family !== family) {
    throw usage(`-${family} does not go with an IPv${host.family} address`);
  }
  return family;
}

function readWait(text: string | undefined): Port | undefined {
  if (text === undefined) return undefined;
  if (text.startsWith('udp/')) {
    throw usage('--wait cannot watch a UDP port, since an open one need not answer; give a TCP port, or leave it out');
  }
  try {
    const { first, last } = parsePortRange(text);
    if (first === last) return first;
  } catch {
    // Said below, without the words: they may be a sequence that was put in the wrong place.
  }
  throw usage('--wait takes one TCP port, such as tcp/22');
}

function readPortsOption(values: SharedWords['values'], env: Env): PortsSource {
  const [text, file] = [values.get('ports'), values.get('ports-file')];
  if (text !== undefined && file !== undefined) throw usage('--ports and --ports-file exclude each other');
  if (text !== undefined) return { text };
  if (file !== undefined) return { file };
  const inherited = env.SALLYPORT_PORTS;
  if (inherited !== undefined && inherited.trim() !== '') return { text: inherited };
  throw usage('give the ports of your card: --ports, --ports-file or SALLYPORT_PORTS');
}

function readDelay(text: string | undefined): Duration {
  if (text === undefined) return DEFAULT_DELAY;
  const delay = parseDuration(text);
  if (delay > LONGEST_DELAY) throw usage('--delay goes up to 5s; a gateway forgets a knock that takes too long');
  return delay;
}

function readTries(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TRIES;
  const tries = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (tries < 1 || tries > MOST_TRIES) throw usage(`--tries goes from 1 to ${MOST_TRIES}`);
  return tries;
}

function readExtension(text: string | undefined): string | undefined {
  if (text === undefined || /^\+?[\d*#]{1,24}$/.test(text)) return text;
  throw usage('--extension takes what is dialled, such as 864');
}
