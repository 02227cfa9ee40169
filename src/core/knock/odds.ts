import type { PortSpan } from '../ports.js';
import { LONGEST_SEQUENCE } from '../sequence.js';
import type { StrikeLimit } from './strikes.js';

/*
 * The odds of opening without knowing a sequence (docs/knock.md has them in words).
 *
 * A sequence consists of different packets, so from each packet that an attacker sends runs exactly one attempt at the
 * sequences of a length: the next so many different packets. A stream of packets therefore makes at most one guess a packet,
 * and one that never repeats a guess makes nearly that. Nothing is ever answered, so nothing is learnt on the way.
 */

/** What there is to be guessed. */
export interface Lock {
  readonly pool: PortSpan;
  /** How many protocols a knock may have. */
  readonly protocols: 1 | 2;
  readonly strikes: StrikeLimit | null;
  /** How many users have sequences of a length. */
  readonly users: ReadonlyMap<number, number>;
}

/** Who guesses: from so many addresses, so many packets a second from all of them together. */
export interface Attacker {
  readonly addresses: number;
  readonly packetsPerSecond: number;
}

export interface AttackOdds {
  readonly addresses: number;
  /** What the attacker sends, or what strikes leave of it. */
  readonly packetsPerSecond: number;
  /** After how many seconds the chance that somebody's sequence was hit is one half; infinite where there is nobody. */
  readonly evenChanceAfter: number;
}

export interface Odds {
  readonly users: readonly { readonly length: number; readonly users: number; readonly possible: number }[];
  /** The chance that a packet of a blind stream completes somebody's sequence. */
  readonly chancePerPacket: number;
  readonly attacks: readonly AttackOdds[];
  /** Whether the strongest of the attackers is likely to get in within a year. */
  readonly isPoor: boolean;
  /** The length that all sequences should have at least so that the odds are good; null where none is long enough. */
  readonly goodLength: number | null;
}

/** As many packets as a single machine sends easily: 50 Mbit/s. */
const PACKETS_PER_SECOND = 100_000;

/** Somebody alone, and a small botnet (or somebody with a few thousand IPv6 networks). */
const ATTACKERS: readonly Attacker[] = [
  { addresses: 1, packetsPerSecond: PACKETS_PER_SECOND },
  { addresses: 10_000, packetsPerSecond: PACKETS_PER_SECOND },
];

/** Odds are poor where an attacker has an even chance within this time, in seconds: a year. */
const LEAST_TIME = 365 * 86_400;

/** How users with sequences of these lengths stand against the usual attackers. */
export function reckonOdds(lock: Lock): Odds {
  const users = [...lock.users]
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => a - b)
    .map(([length, count]) => ({ length, users: count, possible: countSequences(length, lock) }));
  const attacks = ATTACKERS.map((attacker) => reckonAttack(attacker, lock));
  const isPoor = isWeak(lock);
  return {
    users,
    chancePerPacket: Math.min(
      1,
      users.reduce((sum, one) => sum + one.users / one.possible, 0),
    ),
    attacks,
    isPoor,
    goodLength: isPoor ? findGoodLength(lock) : (users[0]?.length ?? null),
  };
}

/**
 * How many sequences of a length may be drawn: ports from a circle of which no two are adjacent, in any order, each but the
 * last with any protocol. 0 where the pool is too small. Those that somebody chose may end otherwise, but an attacker who
 * takes all for drawn is the stronger one.
 */
export function countSequences(length: number, { pool, protocols }: Pick<Lock, 'pool' | 'protocols'>): number {
  const ports = pool.last - pool.first + 1;
  if (ports < 2 * length) return 0;
  // Sets without neighbours on a circle: n / (n - k) * C(n - k, k); with the k! orders of each, a falling product.
  let count = ports / (ports - length);
  for (let i = 0; i < length; i++) count *= ports - length - i;
  return Math.round(count) * protocols ** (length - 1);
}

/** The chance that so many different guesses at each length hit a sequence of somebody, all being equally likely. */
export function chanceOfHit(guesses: number, lock: Lock): number {
  let miss = 0;
  for (const [length, users] of lock.users) {
    const possible = countSequences(length, lock);
    for (let i = 0; i < users; i++) {
      if (guesses >= possible - i) return 1;
      miss += Math.log1p(-guesses / (possible - i));
    }
  }
  return -Math.expm1(miss);
}

/** How an attacker fares who makes the most of every packet. */
function reckonAttack({ addresses, packetsPerSecond }: Attacker, lock: Lock): AttackOdds {
  const rate = Math.min(packetsPerSecond, addresses * packetsPerAddress(lock));
  return { addresses, packetsPerSecond: rate, evenChanceAfter: guessesForEvenChance(lock) / rate };
}

/**
 * How many guesses a second strikes leave one source at most: it stops one short of the limit each time, or goes over it and
 * waits. A packet that happens to be right is not counted: with very many users a packet is the first of somebody's
 * sequence now and then, for at most a quarter of all.
 */
function packetsPerAddress(lock: Lock): number {
  const { strikes, pool, protocols, users } = lock;
  if (strikes === null) return Number.POSITIVE_INFINITY;
  const staying = (strikes.wrong - 1) / strikes.per;
  const crossing = strikes.wrong / strikes.ignoreFor;
  const all = [...users.values()].reduce((sum, count) => sum + count, 0);
  const right = Math.min(0.5, all / ((pool.last - pool.first + 1) * protocols));
  return (Math.max(staying, crossing) * 1000) / (1 - right * (1 - right));
}

/** The number of guesses that hits somebody in half of all cases; none is enough where there is nobody. */
function guessesForEvenChance(lock: Lock): number {
  if (lock.users.size === 0) return Number.POSITIVE_INFINITY;
  const possible = [...lock.users.keys()].map((length) => countSequences(length, lock));
  let [least, most] = [0, Math.max(1, ...possible)];
  while (most - least > Math.max(0.5, most * 1e-6)) {
    const middle = (least + most) / 2;
    if (chanceOfHit(middle, lock) < 0.5) least = middle;
    else most = middle;
  }
  return most;
}

function isWeak(lock: Lock): boolean {
  return ATTACKERS.some((attacker) => reckonAttack(attacker, lock).evenChanceAfter < LEAST_TIME);
}

function findGoodLength(lock: Lock): number | null {
  const shortest = Math.min(...lock.users.keys());
  for (let length = shortest + 1; length <= LONGEST_SEQUENCE; length++) {
    const users = new Map<number, number>();
    for (const [own, count] of lock.users) {
      const longer = Math.max(own, length);
      users.set(longer, (users.get(longer) ?? 0) + count);
    }
    const hasRoom = [...users].every(([one, count]) => countSequences(one, lock) >= count);
    if (hasRoom && !isWeak({ ...lock, users })) return length;
  }
  return null;
}
