import { type Address, familyOf, isAddress, network64, prefixLength, rangeOf, type Target } from '../address.js';
import { after, between, type Duration, type Monotonic } from '../time.js';

/** When a source is a nuisance: so many wrong packets within `per` of the first of them, and it is ignored for `ignoreFor`. */
export interface StrikeLimit {
  readonly wrong: number;
  readonly per: Duration;
  readonly ignoreFor: Duration;
}

/** A source whose knocks are ignored: an IPv4 address, or the /64 of an IPv6 one. */
export interface IgnoredSource {
  readonly target: Target;
  readonly remaining: Duration;
}

/** What an address is counted and ignored as: itself in IPv4, its /64 in IPv6, where one host has as many as it likes. */
export function strikeTarget(source: Address): Target {
  return familyOf(source) === 4 ? source : network64(source);
}

/**
 * Counts the wrong packets of each source and keeps who is ignored. The time of a count is fixed: it begins with the first wrong
 * packet and is not prolonged by others; nor is the time of being ignored. At most `capacity` sources are counted and as many
 * ignored: where the tables are full nobody new is, so that a flood of spoofed sources frees none that is ignored.
 */
export class Strikes {
  readonly #limit: StrikeLimit;
  readonly #capacity: number;
  /** Both in the order in which they end, since each lasts equally long from when it is put in. */
  readonly #counts = new Map<Target, { wrong: number; readonly until: Monotonic }>();
  readonly #ignored = new Map<Target, Monotonic>();

  constructor(limit: StrikeLimit, capacity = 65_536) {
    this.#limit = limit;
    this.#capacity = capacity;
  }

  isIgnored(source: Address, now: Monotonic): boolean {
    if (this.#ignored.size === 0) return false;
    const until = this.#ignored.get(strikeTarget(source));
    return until !== undefined && until > now;
  }

  /** Counts a wrong packet of a source that is not ignored; the source where this one crosses the line. */
  wrong(source: Address, now: Monotonic): Target | undefined {
    const target = strikeTarget(source);
    const known = this.#counts.get(target);
    const isCounted = known !== undefined && known.until > now;
    const wrong = isCounted ? known.wrong + 1 : 1;
    if (wrong >= this.#limit.wrong && this.#ignore(target, now)) {
      this.#counts.delete(target);
      return target;
    }
    if (isCounted) known.wrong = wrong;
    else this.#beginCount(target, now);
    return undefined;
  }

  /** Who is ignored now, those first who are heard again first. */
  list(now: Monotonic): IgnoredSource[] {
    return [...this.#ignored]
      .filter(([, until]) => until > now)
      .map(([target, until]) => ({ target, remaining: between(now, until) }));
  }

  /** Clears the sources that lie in one of the targets, or in whose network one of them lies. */
  forgive(targets: readonly Target[]): void {
    for (const target of targets) {
      const alone = loneSource(target);
      if (alone === undefined) this.#forgiveAllIn(target);
      else this.#forget(alone);
    }
  }

  #forgiveAllIn(target: Target): void {
    const outer = rangeOf(target);
    for (const one of [...this.#counts.keys(), ...this.#ignored.keys()]) {
      const { family, first, last } = rangeOf(one);
      if (family === outer.family && outer.first <= first && last <= outer.last) this.#forget(one);
    }
  }

  #forget(source: Target): void {
    this.#counts.delete(source);
    this.#ignored.delete(source);
  }

  #ignore(target: Target, now: Monotonic): boolean {
    for (const [other, until] of this.#ignored) {
      if (until > now) break;
      this.#ignored.delete(other);
    }
    if (this.#ignored.size >= this.#capacity) return false;
    this.#ignored.set(target, after(now, this.#limit.ignoreFor));
    return true;
  }

  #beginCount(target: Target, now: Monotonic): void {
    for (const [other, { until }] of this.#counts) {
      if (until > now) break;
      this.#counts.delete(other);
    }
    if (this.#counts.size < this.#capacity) this.#counts.set(target, { wrong: 1, until: after(now, this.#limit.per) });
  }
}

/** The one source that a target lies in or is; undefined for a network of several. */
export function loneSource(target: Target): Target | undefined {
  if (isAddress(target)) return strikeTarget(target);
  if (familyOf(target) === 4 || prefixLength(target) < 64) return undefined;
  return network64(target.slice(0, target.indexOf('/')) as Address);
}
