import { type PortRange, PROTOCOLS, toPort } from '../ports.js';
import type { Who } from './reading.js';
import { isLoopback, readWho } from './who.js';
import { readPorts, shown } from './words.js';

/** What a packet must be for a rule, as far as it matters to a whitelist. */
export interface Condition {
  /** Null for everybody. */
  readonly who: Who | null;
  /** The line that named them. */
  readonly whoLine: number;
  /** Null for any port and protocol. */
  readonly ports: readonly PortRange[] | null;
  readonly isLoopback: boolean;
  /** Only packets of connections that are there already. */
  readonly isReply: boolean;
  /** A protocol without ports. */
  readonly protocol: string | null;
  /** Chosen by what any sender can write into a packet. */
  readonly forgeable: 'flags' | 'source port' | null;
  /** The interface or the destination: conditions that an entry does not have. */
  readonly interface: string | null;
  readonly hasDestination: boolean;
  /** What we have no counterpart of. */
  readonly unknown: string | null;
}

/** One `-A`. */
export interface Rule extends Condition {
  readonly line: number;
  readonly chain: string;
  /** Null for a rule that only counts. */
  readonly target: string | null;
  readonly isGoto: boolean;
  readonly comment: string | null;
}

export const ANY: Condition = {
  who: null,
  whoLine: 0,
  ports: null,
  isLoopback: false,
  isReply: false,
  protocol: null,
  forgeable: null,
  interface: null,
  hasDestination: false,
  unknown: null,
};

const ALL_PORTS = { first: toPort(1), last: toPort(65535) };
const NUMBERS: Readonly<Record<string, string>> = {
  '1': 'icmp',
  '6': 'tcp',
  '17': 'udp',
  '0': 'all',
  '58': 'ipv6-icmp',
};
/** Matches that say nothing by their name alone: their options do. */
const PLAIN_MATCHES = new Set(['tcp', 'udp', 'multiport', 'state', 'conntrack', 'comment', 'icmp', 'icmp6', 'icmpv6']);

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** How an option changes the rule that is being read. `not` is true behind an exclamation mark. */
type Read = (rule: Draft, value: string, not: boolean) => void;

interface Draft extends Mutable<Rule> {
  readPorts: string | null;
}

const source: Read = (rule, value, not) => {
  const who = readWho(value);
  if (not) doubt(rule, 'everybody but somebody');
  else if (who === undefined) doubt(rule, `${shown(value)} is neither an address nor a host name`);
  else {
    rule.who = who;
    rule.isLoopback ||= who !== null && isLoopback(who);
  }
};

const protocol: Read = (rule, value, not) => {
  const name = Object.hasOwn(NUMBERS, value) ? (NUMBERS[value] ?? value) : value.toLowerCase();
  if (not) doubt(rule, 'any protocol but one');
  else if (name === 'tcp' || name === 'udp') rule.ports = [{ protocol: name, ...ALL_PORTS }];
  else if (name !== 'all') rule.protocol = shown(name, 16);
};

const ports: Read = (rule, value, not) => {
  if (not) doubt(rule, 'all ports but some');
  else rule.readPorts = value;
};

const state: Read = (rule, value, not) => {
  const states = value.toUpperCase().split(',');
  if (not) doubt(rule, 'any state but some');
  else if (states.every((one) => one === 'ESTABLISHED' || one === 'RELATED')) rule.isReply = true;
  else if (!states.includes('NEW')) doubt(rule, `the state ${shown(value, 32)}`);
};

const skipped: Read = () => undefined;

const OPTIONS: Readonly<Record<string, Read>> = {
  '-s': source,
  '--source': source,
  '--src': source,
  '-d': (rule) => {
    rule.hasDestination = true;
  },
  '-i': (rule, value, not) => {
    if (not) doubt(rule, 'any interface but one');
    else if (value === 'lo') rule.isLoopback = true;
    else rule.interface = shown(value, 16);
  },
  '-p': protocol,
  '-m': (rule, value) => {
    if (!PLAIN_MATCHES.has(value)) doubt(rule, `the match ${shown(value, 32)}`);
  },
  '--dport': ports,
  '--dports': ports,
  '--sport': (rule) => {
    rule.forgeable = 'source port';
  },
  '--state': state,
  '--comment': (rule, value) => {
    if (value.trim() !== '') rule.comment = shown(value, 120);
  },
  '-j': (rule, value) => {
    rule.target = value;
  },
  '-g': (rule, value) => {
    rule.target = value;
    rule.isGoto = true;
  },
  '-t': skipped,
  '--icmp-type': skipped,
};

const ALIASES: Readonly<Record<string, string>> = {
  '--destination': '-d',
  '--dst': '-d',
  '--in-interface': '-i',
  '--protocol': '-p',
  '--match': '-m',
  '--destination-port': '--dport',
  '--destination-ports': '--dports',
  '--source-port': '--sport',
  '--source-ports': '--sport',
  '--sports': '--sport',
  '--ctstate': '--state',
  '--jump': '-j',
  '--goto': '-g',
  '--table': '-t',
  '--icmpv6-type': '--icmp-type',
};

/** Reads what stands behind `-A CHAIN`. Whatever it says, a rule comes out; what is beyond us is `unknown`. */
export function readRule(line: number, chain: string, words: readonly string[]): Rule {
  const rule: Draft = {
    ...ANY,
    line,
    whoLine: line,
    chain,
    target: null,
    isGoto: false,
    comment: null,
    readPorts: null,
  };
  let not = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '!') {
      not = true;
      continue;
    }
    const name = Object.hasOwn(ALIASES, word) ? (ALIASES[word] ?? word) : word;
    const read = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (name === '-c' || name === '--set-counters') i += 2;
    else if (name === '--tcp-flags') {
      if (not || !isOpening(words[i + 1] ?? '', words[i + 2] ?? '')) rule.forgeable = 'flags';
      i += 2;
    } else if (name === '--syn') {
      if (not) rule.forgeable = 'flags';
    } else if (read !== undefined) {
      // Older files have the exclamation mark behind the option.
      const isNot = not || words[i + 1] === '!';
      if (words[i + 1] === '!') i++;
      const value = words[i + 1];
      if (value === undefined || (value.startsWith('-') && name !== '--comment')) {
        doubt(rule, `${shown(word, 32)} without a value`);
      } else {
        i++;
        read(rule, value, isNot);
      }
      // What follows a target is for the target alone.
      if (name === '-j') break;
    } else if (word.startsWith('-')) {
      doubt(rule, `the option ${shown(word, 32)}`);
      while (i + 1 < words.length && !/^(-|!$)/.test(words[i + 1] ?? '')) i++;
    } else {
      doubt(rule, 'a word that belongs to no option');
    }
    not = false;
  }
  narrowPorts(rule);
  const { readPorts: _, ...done } = rule;
  return done;
}

/** The ports belong to a protocol, which may stand behind them. */
function narrowPorts(rule: Draft): void {
  if (rule.readPorts === null) return;
  const [tcpOrUdp] = rule.ports ?? [];
  const found = tcpOrUdp && readPorts(rule.readPorts, tcpOrUdp.protocol);
  if (tcpOrUdp === undefined) doubt(rule, 'ports without tcp or udp');
  else if (found === undefined) doubt(rule, 'ports that cannot be read');
  else rule.ports = found;
}

/** Whether flags are those of a packet that begins a connection: SYN is looked at, and must be set; ACK not. */
function isOpening(mask: string, set: string): boolean {
  return mask.split(',').includes('SYN') && set === 'SYN';
}

function doubt(rule: Draft, words: string): void {
  rule.unknown ??= words;
}

/** What a packet must be to reach a rule by a jump; undefined where no packet can. */
export function both(outer: Condition, inner: Condition): Condition | undefined {
  const ports = intersect(outer.ports, inner.ports);
  if (ports?.length === 0) return undefined;
  const protocol = inner.protocol ?? outer.protocol;
  return {
    ...whoOf(outer, inner),
    ports,
    isLoopback: outer.isLoopback || inner.isLoopback,
    isReply: outer.isReply || inner.isReply,
    protocol,
    forgeable: outer.forgeable ?? inner.forgeable,
    interface: outer.interface ?? inner.interface,
    hasDestination: outer.hasDestination || inner.hasDestination,
  };

  function whoOf(a: Condition, b: Condition) {
    const unknown = a.unknown ?? b.unknown;
    if (a.who === null) return { who: b.who, whoLine: b.whoLine, unknown };
    if (b.who === null) return { who: a.who, whoLine: a.whoLine, unknown };
    return { who: b.who, whoLine: b.whoLine, unknown: unknown ?? 'two sources at once' };
  }
}

function intersect(a: Condition['ports'], b: Condition['ports']): readonly PortRange[] | null {
  if (a === null) return b;
  if (b === null) return a;
  return PROTOCOLS.flatMap((protocol) =>
    a
      .filter((one) => one.protocol === protocol)
      .flatMap((one) =>
        b
          .filter((other) => other.protocol === protocol && one.first <= other.last && other.first <= one.last)
          .map((other) => ({
            protocol,
            first: toPort(Math.max(one.first, other.first)),
            last: toPort(Math.min(one.last, other.last)),
          })),
      ),
  );
}
