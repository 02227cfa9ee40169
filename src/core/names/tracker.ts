import { type Address, addressBits, type Family, familyOf } from '../address.js';
import {
  after,
  between,
  type Clock,
  type Duration,
  days,
  hours,
  type Instant,
  type Monotonic,
  millis,
  minutes,
  seconds,
} from '../time.js';
import type { HostName } from './host-name.js';
import type { Lookup } from './lookup.js';
import type { ResolvedName } from './name-entry.js';
import { type NameProblem, RECORD, type Sifted, type SiftOptions, siftLookup } from './sift.js';

/** The shortest and the longest time to the next look-up, whatever the TTL. */
const SOONEST = seconds(30);
const LATEST = hours(1);
/** After a failure it is tried again so soon, then after twice the time, up to a bound. */
const FIRST_RETRY = seconds(5);
const LAST_RETRY = minutes(5);

/** One answer after the other of so many addresses of a family, but others, is a draw from a pool. */
const POOL = 4;
/** So many answers that bring back what was gone or missing, within so long, show that they rotate: a move or two do not. */
const RETURNS = 5;
const REMEMBERED = days(1);
/** So long after it was last seen to rotate does a name count as one that does. */
const ROTATES_FOR = days(1);
/** So many answers, and so long at least, may an address of a rotating name be missing from. */
const MISSED_ANSWERS = 20;
const SHORTEST_GRACE = hours(1);
const LONGEST_GRACE = days(1);

/**
 * So many addresses of a family may a name have within what is remembered, or so many times what it may bring at once. Each
 * of them is told of, and held for a day once it is gone: a name that gives others all day must not fill journal and kernel.
 */
const MOST_REMEMBERED = 256;
const TIMES_AT_ONCE = 4;

/**
 * `pending`: not looked up since the start. `ok`. `degraded`: something is wrong with the look-up. `missing`: there is no such
 * name, and its addresses hold for a while. `dropped`: they do no more.
 */
export type NameCondition = 'pending' | 'ok' | 'degraded' | 'missing' | 'dropped';

export interface NameRules extends SiftOptions {
  /** For so long must there be no such name before its addresses are dropped. */
  readonly nxdomainAfter: Duration;
}

/** What a look-up has changed. */
export interface NameNews {
  readonly entered: readonly Address[];
  readonly left: readonly Address[];
  /** A rotating name has brought back, or let go, what it has had lately: nothing that people need be told. */
  readonly isRoutine: boolean;
  /** Kinds of problems that have begun are there; `recovered`: the last has ended. */
  readonly turn: 'failed' | 'recovered' | 'dropped' | null;
}

/**
 * What one host name stands for, from one look-up to the next. Whatever is no good answer changes nothing. An address that
 * is no more in the answer leaves at once, as the new one enters; unless the answers rotate (round robin from a pool):
 * then it stays for a while after it was last seen.
 */
export class NameTracker {
  readonly name: HostName;
  readonly #rules: NameRules;
  readonly #clock: Clock;
  /** The addresses that hold, and when each was last in an answer. */
  readonly #seen = new Map<Address, Monotonic>();
  /** The same in a fixed order. */
  #addresses: readonly Address[];
  /** Those that left, and when. */
  readonly #left = new Map<Address, Monotonic>();
  /** The latest good answer. */
  #latest: ReadonlySet<Address>;
  /** When answers brought something back. */
  #returns: Monotonic[] = [];
  #rotatesUntil: Monotonic | undefined;
  /** The families that have had too many addresses. */
  readonly #restless = new Set<Family>();
  #missingSince: Monotonic | undefined;
  #resolvedAt: Instant | null;
  #failures = 0;
  #due: Monotonic;
  #problems: readonly NameProblem[] = [];
  #condition: NameCondition = 'pending';

  /** @param kept what an earlier run knew of it */
  constructor(options: { name: HostName; rules: NameRules; clock: Clock; kept?: ResolvedName | undefined }) {
    const { name, rules, clock, kept } = options;
    this.name = name;
    this.#rules = rules;
    this.#clock = clock;
    const now = clock.monotonic();
    for (const address of kept?.addresses ?? []) this.#seen.set(address, now);
    this.#addresses = [...this.#seen.keys()].sort(byAddress);
    this.#latest = new Set(this.#addresses);
    this.#resolvedAt = kept?.resolvedAt ?? null;
    if (kept?.missingSince != null) {
      this.#missingSince = after(now, millis(Math.min(0, kept.missingSince - clock.now())));
    }
    this.#due = now;
  }

  /** The addresses that hold, in a fixed order. */
  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  /** When to look it up next. */
  get due(): Monotonic {
    return this.#due;
  }

  get condition(): NameCondition {
    return this.#condition;
  }

  get problems(): readonly NameProblem[] {
    return this.#problems;
  }

  /** What to keep for the next start. */
  record(): ResolvedName {
    const since = this.#missingSince;
    const missingSince = since === undefined ? null : this.#clock.now() + between(this.#clock.monotonic(), since);
    return {
      name: this.name,
      addresses: this.addresses,
      resolvedAt: this.#resolvedAt,
      missingSince: missingSince === null ? null : (Math.floor(missingSince) as Instant),
    };
  }

  /** Takes in what a look-up came to. */
  take(lookup: Lookup): NameNews {
    const now = this.#clock.monotonic();
    for (const [address, at] of this.#left) if (between(at, now) > REMEMBERED) this.#left.delete(address);
    const { addresses, ttl, unknown, problems } = this.#settle(siftLookup(lookup, this.#rules));
    const isNew = addresses.some((one) => this.#isNew(one));
    const before = this.#addresses;
    const condition = this.#conditionAfter(problems, now);
    if (ttl !== null) {
      this.#resolvedAt = this.#clock.now();
      this.#replace(addresses, unknown, ttl);
    } else if (condition === 'dropped') {
      this.#seen.clear();
      this.#left.clear();
      this.#latest = new Set();
    }
    this.#plan(ttl, problems);
    const turn = this.#turn(problems, condition);
    this.#addresses = [...this.#seen.keys()].sort(byAddress);
    const entered = this.#addresses.filter((one) => !before.includes(one));
    const left = before.filter((one) => !this.#seen.has(one));
    return { entered, left, isRoutine: this.#isRotating(now) && !isNew, turn };
  }

  /** Takes nothing new of a family that has had too many addresses, until half of them are forgotten. */
  #settle(found: Sifted): Sifted {
    const most = Math.max(MOST_REMEMBERED, TIMES_AT_ONCE * this.#rules.maxAddresses);
    const known = [...this.#seen.keys(), ...this.#left.keys()];
    const unknown = new Set(found.unknown);
    const problems = [...found.problems];
    for (const family of [4, 6] as const) {
      const had = known.filter((one) => familyOf(one) === family).length;
      const more = found.addresses.filter((one) => familyOf(one) === family && this.#isNew(one)).length;
      const isRestless = this.#restless.has(family) ? had > most / 2 : had + more > most;
      if (!isRestless) {
        this.#restless.delete(family);
        continue;
      }
      this.#restless.add(family);
      if (more > 0) unknown.add(family);
      const text = `${RECORD[family]}: it has had ${had} addresses within a day; of those that are new none is let in`;
      problems.push({ kind: 'restless', text });
    }
    const addresses = found.addresses.filter((one) => !unknown.has(familyOf(one)));
    return { addresses, ttl: addresses.length === 0 ? null : found.ttl, unknown, problems };
  }

  /** Whether it has not had an address lately. */
  #isNew(address: Address): boolean {
    return !this.#seen.has(address) && !this.#left.has(address);
  }

  #isRotating(now: Monotonic): boolean {
    return this.#rotatesUntil !== undefined && now < this.#rotatesUntil;
  }

  /** While nobody answers, how long there has been no such name goes on counting. */
  #conditionAfter(problems: readonly NameProblem[], now: Monotonic): NameCondition {
    const has = (kind: NameProblem['kind']) => problems.some((one) => one.kind === kind);
    if (!has('missing')) {
      if (!has('unanswered')) this.#missingSince = undefined;
      return problems.length === 0 ? 'ok' : 'degraded';
    }
    this.#missingSince ??= now;
    return between(this.#missingSince, now) >= this.#rules.nxdomainAfter ? 'dropped' : 'missing';
  }

  #replace(answer: readonly Address[], unknown: ReadonlySet<Family>, ttl: Duration): void {
    const now = this.#clock.monotonic();
    if (this.#looksRotated(answer)) this.#rotatesUntil = after(now, ROTATES_FOR);
    const grace = this.#isRotating(now) ? Math.min(LONGEST_GRACE, Math.max(SHORTEST_GRACE, MISSED_ANSWERS * ttl)) : 0;
    for (const address of answer) {
      this.#seen.set(address, now);
      this.#left.delete(address);
    }
    const unanswered = [...this.#latest].filter((one) => unknown.has(familyOf(one)));
    this.#latest = new Set([...answer, ...unanswered]);
    for (const [address, at] of this.#seen) {
      if (this.#latest.has(address) || unknown.has(familyOf(address)) || between(at, now) < grace) continue;
      this.#leave(address, now);
    }
    for (const family of [4, 6] as const) this.#leaveOldest(family, now);
  }

  #looksRotated(answer: readonly Address[]): boolean {
    const now = this.#clock.monotonic();
    const isBack = (one: Address) => !this.#latest.has(one) && (this.#seen.has(one) || this.#left.has(one));
    this.#returns = this.#returns.filter((at) => between(at, now) <= REMEMBERED).slice(-RETURNS);
    if (answer.some(isBack)) this.#returns.push(now);
    return this.#returns.length >= RETURNS || isDraw([...this.#latest], answer);
  }

  /** A rotating name may bring no more than any other: those that were seen last stay. */
  #leaveOldest(family: Family, now: Monotonic): void {
    const held = [...this.#seen].filter(([address]) => familyOf(address) === family);
    const byAge = held.sort(([a, seenA], [b, seenB]) => seenB - seenA || byAddress(a, b));
    for (const [address] of byAge.slice(this.#rules.maxAddresses)) this.#leave(address, now);
  }

  #leave(address: Address, now: Monotonic): void {
    this.#seen.delete(address);
    this.#left.set(address, now);
  }

  /** Sets the time of the next look-up. */
  #plan(ttl: Duration | null, problems: readonly NameProblem[]): void {
    const hasFailed = ttl === null || problems.some(({ kind }) => kind !== 'forbidden');
    this.#failures = hasFailed ? this.#failures + 1 : 0;
    const byTtl = ttl === null ? LATEST : Math.min(LATEST, Math.max(SOONEST, ttl));
    const byFailures = hasFailed ? Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(20, this.#failures - 1)) : LATEST;
    this.#due = after(this.#clock.monotonic(), millis(Math.min(byTtl, byFailures)));
  }

  #turn(problems: readonly NameProblem[], condition: NameCondition): NameNews['turn'] {
    const known = new Set(this.#problems.map(({ kind }) => kind));
    const was = this.#condition;
    this.#problems = problems;
    this.#condition = condition;
    if (condition === 'dropped') return was === 'dropped' ? null : 'dropped';
    if (condition === 'ok') return known.size > 0 ? 'recovered' : null;
    return problems.some(({ kind }) => !known.has(kind)) ? 'failed' : null;
  }
}

function isDraw(before: readonly Address[], answer: readonly Address[]): boolean {
  return ([4, 6] as const).some((family) => {
    const [old, drawn] = [before, answer].map((list) => list.filter((one) => familyOf(one) === family));
    const isAsMany = drawn !== undefined && drawn.length >= POOL && drawn.length === old?.length;
    return isAsMany && drawn.some((one) => !old.includes(one));
  });
}

/** IPv4 first, then by number. */
function byAddress(a: Address, b: Address): number {
  const [x, y] = [addressBits(a), addressBits(b)];
  return familyOf(a) - familyOf(b) || (x < y ? -1 : x > y ? 1 : 0);
}
