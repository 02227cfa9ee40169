import { parseArgs } from 'node:util';
import type { Family } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import { type Port, parsePortRange } from '../core/ports.js';
import { type Duration, millis, parseDuration } from '../core/time.js';
import { type KnockHost, parseHost } from './host.js';

/** What a `sallyport knock` command line asks for. */
export interface KnockOptions {
  readonly host: KnockHost;
  /** Where the sequence comes from: its text, or the path of a file. */
  readonly ports: { readonly text: string } | { readonly file: string };
  readonly wait: Port | undefined;
  readonly family: Family | undefined;
  readonly delay: Duration;
  readonly tries: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

const DEFAULT_DELAY = millis(150);
const DEFAULT_TRIES = 3;
const LONGEST_DELAY = millis(5000);
const MOST_TRIES = 10;

const OPTIONS = {
  ports: { type: 'string' },
  'ports-file': { type: 'string' },
  wait: { type: 'string' },
  ipv4: { type: 'boolean', short: '4' },
  ipv6: { type: 'boolean', short: '6' },
  delay: { type: 'string' },
  tries: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
  // Every command of sallyport takes it; the client has no configuration and leaves it unread.
  config: { type: 'string' },
} as const;

type OptionName = keyof typeof OPTIONS;

/**
 * Reads the arguments after `knock`. No error repeats a word that may be a sequence.
 * @throws SP_USAGE, SP_DURATION_INVALID, and what parseHost throws
 */
export function parseKnockOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): KnockOptions | 'help' {
  const { flags, values, positionals } = readWords(argv);
  if (flags.has('help')) return 'help';
  const host = readHost(positionals);
  const family = readFamily(flags, host);
  const wait = readWait(values.get('wait'));
  if (wait === undefined && values.has('tries')) throw usage('--tries needs --wait, or there is nothing to try for');
  return {
    host,
    family,
    wait,
    ports: readPortsOption(values, env),
    delay: readDelay(values.get('delay')),
    tries: readTries(values.get('tries')),
    json: flags.has('json'),
    quiet: flags.has('quiet'),
  };
}

interface Words {
  readonly flags: ReadonlySet<OptionName>;
  readonly values: ReadonlyMap<OptionName, string>;
  readonly positionals: readonly string[];
}

/** parseArgs in its strict mode would quote values in its errors, so its tokens are checked here. */
function readWords(argv: readonly string[]): Words {
  const flags = new Set<OptionName>();
  const values = new Map<OptionName, string>();
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!isOptionName(name)) {
      throw usage(/^--?[a-z][a-z-]*$/i.test(rawName) ? `there is no option ${rawName}` : 'there is no such option');
    }
    if (OPTIONS[name].type === 'boolean') {
      if (value !== undefined) throw usage(`${rawName} takes no value`);
      flags.add(name);
    } else {
      const missing = value === undefined || value === '' || (value.startsWith('-') && value !== '-' && !inlineValue);
      if (missing) throw usage(`${rawName} needs a value`);
      values.set(name, value);
    }
  }
  return { flags, values, positionals };
}

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

function readHost(positionals: readonly string[]): KnockHost {
  const [host, ...more] = positionals;
  if (host === undefined) throw usage('name the HOST to knock on');
  if (more.length > 0) throw usage('give one HOST; the ports go after --ports, with commas and no spaces');
  if (/[/,]/.test(host)) throw usage('HOST is missing, or is not a host; the ports go after --ports');
  return parseHost(host);
}

function readFamily(flags: ReadonlySet<OptionName>, host: KnockHost): Family | undefined {
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

function readPortsOption(
  values: ReadonlyMap<OptionName, string>,
  env: Readonly<Record<string, string | undefined>>,
): KnockOptions['ports'] {
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

function usage(problem: string): SallyportError {
  return new SallyportError('SP_USAGE', { problem });
}
