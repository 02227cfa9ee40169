import { after, type Clock, type Duration, hours, type Monotonic, millis, seconds } from '../time.js';

/** One caller's attempt at one account. */
export interface PinAttempt {
  /** As it was typed. */
  readonly account: string;
  /** Whether there is such an account. The caller is not told, neither by words nor by time. */
  readonly isKnown: boolean;
  /** What the caller claims to be; callers without one are counted together. */
  readonly callerId: string | null;
}

/** An attempt that has begun. It has to be ended, whatever becomes of the call. */
export interface PinTrial {
  /** How long to wait before the verdict is spoken, be it yes or no. */
  readonly wait: Duration;
  /** The account is locked out, so that no PIN is right. It is to take the time and the words of a wrong one. */
  readonly isLocked: boolean;
  /**
   * Says what came of it; the first time counts.
   * @returns `locked` where this failure locks the account out: for the journal and an alarm
   */
  end(isRight: boolean): PinResult;
}

export type PinResult = 'passed' | 'failed' | 'locked';

export interface PinLimits {
  /** So many failures at an account within `per` lock it out for `lockFor`. */
  readonly failures: number;
  readonly per: Duration;
  readonly lockFor: Duration;
  /** Failures that cost nothing; the next one costs `firstWait`, and each after it twice as much. */
  readonly free: { readonly account: number; readonly caller: number; readonly all: number };
  readonly firstWait: Duration;
  readonly longestWait: Duration;
  /** How many callers are remembered, and how many accounts that there are not. */
  readonly capacity: number;
}

export const PIN_LIMITS: PinLimits = {
  failures: 10,
  per: hours(1),
  lockFor: hours(1),
  free: { account: 1, caller: 3, all: 30 },
  firstWait: seconds(1),
  longestWait: seconds(15),
  capacity: 4096,
};

/**
 * Slows down who guesses PINs, and locks accounts out. Failures are counted per account, per caller id and over all; caller
 * ids are easily forged, so the other two have to hold without them. Attempts whose verdict is not there yet count as
 * failures, so that many calls at once guess no faster. Accounts that there are have a table of their own, which no flood of
 * made-up ones can crowd out; of those, and of callers, the ones that tried longest ago are forgotten first.
 */
export class PinGuard {
  readonly #clock: Clock;
  readonly #limits: PinLimits;
  readonly #known: Tallies;
  readonly #unknown: Tallies;
  readonly #callers: Tallies;
  readonly #all: Tally;

  constructor({ clock }: { readonly clock: Clock }, limits: PinLimits = PIN_LIMITS) {
    const { failures, free, capacity } = limits;
    this.#clock = clock;
    this.#limits = limits;
    this.#known = new Tallies(limits, failures);
    this.#unknown = new Tallies(limits, failures, capacity);
    this.#callers = new Tallies(limits, free.caller + doublings(limits), capacity);
    this.#all = new Tally(limits, free.all + doublings(limits));
  }

  /** Begins an attempt, before its PIN is looked at. */
  begin({ account, isKnown, callerId }: PinAttempt): PinTrial {
    const { failures, free } = this.#limits;
    const now = this.#clock.monotonic();
    const one = (isKnown ? this.#known : this.#unknown).of(account, now);
    const caller = this.#callers.of(callerId ?? '', now);
    const counted = one.isLocked(now) ? failures : one.count(now);
    const isLocked = counted >= failures;
    const wait = Math.max(
      this.#wait(counted, free.account),
      this.#wait(caller.count(now), free.caller),
      this.#wait(this.#all.count(now), free.all),
    );
    const tallies = [one, caller, this.#all];
    for (const tally of tallies) tally.pending++;
    let result: PinResult | undefined;
    const end = (isRight: boolean) => {
      if (result !== undefined) return result;
      for (const tally of tallies) tally.pending--;
      const isPassed = isRight && !isLocked;
      if (isPassed) one.clear();
      result = isPassed ? 'passed' : this.#fail(one, caller);
      return result;
    };
    return { wait: millis(wait), isLocked, end };
  }

  /** Whether an account that there is has been locked out. */
  isLocked(account: string): boolean {
    return this.#known.peek(account)?.isLocked(this.#clock.monotonic()) ?? false;
  }

  /** Lets an account try again: its PIN was changed, or an operator says so. */
  forgive(account: string): void {
    this.#known.forget(account);
    this.#unknown.forget(account);
  }

  /** How many accounts and callers are remembered. */
  get size(): number {
    return this.#known.size + this.#unknown.size + this.#callers.size;
  }

  #fail(one: Tally, caller: Tally): 'failed' | 'locked' {
    const now = this.#clock.monotonic();
    for (const tally of [caller, this.#all]) tally.fail(now);
    // Trying does not prolong a lock.
    if (one.isLocked(now)) return 'failed';
    one.fail(now);
    if (one.failures(now) < this.#limits.failures) return 'failed';
    one.lock(after(now, this.#limits.lockFor));
    return 'locked';
  }

  #wait(failures: number, free: number): number {
    const { firstWait, longestWait } = this.#limits;
    return failures <= free ? 0 : Math.min(longestWait, firstWait * 2 ** (failures - free - 1));
  }
}

/** After so many failures that are not free the wait grows no more: more need not be remembered. */
function doublings({ firstWait, longestWait }: PinLimits): number {
  return Math.max(1, Math.ceil(Math.log2(longestWait / firstWait)) + 1);
}

/** The failures of one account, of one caller, or of all. */
class Tally {
  /** Attempts whose verdict is awaited. */
  pending = 0;
  readonly #per: Duration;
  readonly #most: number;
  /** The latest failures, the oldest first. */
  #failures: Monotonic[] = [];
  #lockedUntil: Monotonic | undefined;

  constructor({ per }: PinLimits, most: number) {
    this.#per = per;
    this.#most = most;
  }

  failures(now: Monotonic): number {
    return this.#failures.filter((at) => after(at, this.#per) > now).length;
  }

  /** Failures, and attempts that may become ones. */
  count(now: Monotonic): number {
    return this.failures(now) + this.pending;
  }

  fail(now: Monotonic): void {
    this.#failures = [...this.#failures, now].slice(-this.#most);
  }

  /** When it ends the account begins anew. */
  lock(until: Monotonic): void {
    this.#lockedUntil = until;
    this.#failures = [];
  }

  isLocked(now: Monotonic): boolean {
    return this.#lockedUntil !== undefined && this.#lockedUntil > now;
  }

  /** Forgets the failures, but not a lock. */
  clear(): void {
    this.#failures = [];
  }

  isIdle(now: Monotonic): boolean {
    return this.count(now) === 0 && !this.isLocked(now);
  }
}

/** A table of tallies in the order of their last attempts, with room for so many. */
class Tallies {
  readonly #limits: PinLimits;
  readonly #most: number;
  readonly #capacity: number;
  readonly #tallies = new Map<string, Tally>();

  constructor(limits: PinLimits, most: number, capacity = Number.POSITIVE_INFINITY) {
    this.#limits = limits;
    this.#most = most;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#tallies.size;
  }

  of(key: string, now: Monotonic): Tally {
    const tally = this.#tallies.get(key) ?? new Tally(this.#limits, this.#most);
    this.#tallies.delete(key);
    for (const [other, oldest] of this.#tallies) {
      if (this.#tallies.size < this.#capacity && !oldest.isIdle(now)) break;
      this.#tallies.delete(other);
    }
    this.#tallies.set(key, tally);
    return tally;
  }

  peek(key: string): Tally | undefined {
    return this.#tallies.get(key);
  }

  forget(key: string): void {
    this.#tallies.delete(key);
  }
}
