import type { Config } from './config/config.js';
import { type AttackOdds, type Odds, reckonOdds } from './core/knock/odds.js';
import { inSpan } from './core/ports.js';
import { DEFAULT_SEQUENCE_LENGTH } from './core/sequence.js';
import type { User } from './core/user.js';
import { heardProtocols } from './layout.js';

/** The odds of a blind guess, and whose they are. */
export interface OddsFound {
  readonly odds: Odds;
  /** `assumed`: there are no users, or they cannot be read; the odds are those of one with a usual sequence. */
  readonly users: 'read' | 'none' | 'unreadable';
}

/**
 * The odds for the users there are, as far as their sequences can open.
 * @param kept undefined where the users cannot be read
 */
export function findOdds({ knock }: Pick<Config, 'knock'>, kept: readonly User[] | undefined): OddsFound {
  const canOpen = kept?.filter(({ sequence }) => sequence.every(({ port }) => inSpan(port, knock.pool)));
  const lengths = canOpen?.map(({ sequence }) => sequence.length);
  const isKnown = lengths !== undefined && lengths.length > 0;
  const users = new Map<number, number>();
  for (const length of isKnown ? lengths : [DEFAULT_SEQUENCE_LENGTH]) users.set(length, (users.get(length) ?? 0) + 1);
  const protocols = heardProtocols({ knock }).length === 1 ? 1 : 2;
  const odds = reckonOdds({ pool: knock.pool, protocols, strikes: knock.strikes, users });
  return { odds, users: isKnown ? 'read' : lengths === undefined ? 'unreadable' : 'none' };
}

/** The odds in words, a line each. */
export function describeOdds({ odds, users }: OddsFound, { knock }: Pick<Config, 'knock'>): string[] {
  const counts = odds.users.map(
    (one) => `${one.users.toLocaleString('en')} ${one.users === 1 ? 'user' : 'users'} with ${one.length} ports`,
  );
  const why = { read: '', none: ' (there are none yet)', unreadable: ' (the users cannot be read from here)' }[users];
  const lines = [
    `odds of a blind guess, for ${counts.join(', ')}${why}: 1 packet in ${large(1 / odds.chancePerPacket)} opens for somebody`,
  ];
  if (knock.strikes === null) {
    const [attack] = odds.attacks;
    if (attack !== undefined) lines.push(`  knock.strikes is off: ${rate(attack)}, ${chance(attack)}`);
    return lines;
  }
  for (const attack of odds.attacks) lines.push(`  ${who(attack)}, ${rate(attack)} at most: ${chance(attack)}`);
  return lines;
}

/** What to do about poor odds; undefined where they are good. */
export function mendOdds({ odds }: OddsFound, { knock }: Pick<Config, 'knock'>): string | undefined {
  if (!odds.isPoor) return undefined;
  const soonest = odds.attacks.reduce((a, b) => (a.evenChanceAfter < b.evenChanceAfter ? a : b));
  const attacker = knock.strikes === null ? `at ${rate(soonest)}` : `from ${who(soonest)}`;
  const length = odds.goodLength;
  const short = odds.users.flatMap((one) => (length !== null && one.length < length ? [one.length] : []));
  const mend =
    length === null
      ? 'widen knock.pool, and draw more ports for everybody'
      : `draw ${length} ports for whoever has ${short.join(' or ')}: sallyport user set NAME --length ${length}`;
  const strikes = knock.strikes === null ? '; or switch knock.strikes on' : '';
  return `knock: a blind guess is too easy: ${attacker}, ${chance(soonest)}; ${mend}${strikes}`;
}

function who({ addresses }: AttackOdds): string {
  return addresses === 1 ? 'one address' : `${addresses.toLocaleString('en')} addresses`;
}

function rate({ packetsPerSecond }: AttackOdds): string {
  const [each, unit] = packetsPerSecond < 1 ? [60, 'minute'] : [1, 'second'];
  return `${Math.round(packetsPerSecond * each).toLocaleString('en')} packets a ${unit}`;
}

function chance({ evenChanceAfter }: AttackOdds): string {
  return `an even chance after ${span(evenChanceAfter)}`;
}

/** The odds as `check --json` has them. */
export function viewOdds({ odds, users }: OddsFound): object {
  const finite = (n: number) => (Number.isFinite(n) ? n : null);
  return {
    users: odds.users.map((one) => ({ ports: one.length, users: one.users, possible: one.possible })),
    assumed: users !== 'read',
    chance_per_packet: odds.chancePerPacket,
    attacks: odds.attacks.map((one) => ({
      addresses: one.addresses,
      packets_per_s: one.packetsPerSecond,
      even_chance_after_s: finite(one.evenChanceAfter),
    })),
    poor: odds.isPoor,
    good_length: odds.goodLength,
  };
}

/** `1.9 × 10^12`, or a plain number below a million. */
function large(n: number): string {
  if (n < 1e6) return Math.round(n).toLocaleString('en');
  const [digits, exponent] = n.toExponential(1).split('e+');
  return `${digits} × 10^${exponent}`;
}

const UNITS = [
  ['years', 365 * 86_400],
  ['days', 86_400],
  ['hours', 3600],
  ['minutes', 60],
] as const;

/** A long time to two digits: `19 years`, `36 hours`. */
function span(seconds: number): string {
  const [unit, size] = UNITS.find(([, one]) => seconds >= 2 * one) ?? (['seconds', 1] as const);
  const n = Number((seconds / size).toPrecision(2));
  return n > 1e6 ? `more than a million ${unit}` : `${n.toLocaleString('en')} ${unit}`;
}
