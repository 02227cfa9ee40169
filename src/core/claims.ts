import type { Address } from './address.js';
import { strikeTarget } from './knock/strikes.js';
import type { PairingCode } from './pairing.js';
import { after, type Clock, type Monotonic, minutes } from './time.js';
import type { User } from './user.js';

/** How long a claim waits, and how long a code that clashed stays void. */
export const CLAIM_LIFE = minutes(5);

/** An address that asks to be let in, and waits for its user's yes. */
export interface Claim {
  /** As they were when they knocked: a claim by a sequence that is no longer theirs is none. */
  readonly user: Pick<User, 'id' | 'name' | 'sequenceId'>;
  readonly address: Address;
  /** What the yes must name; null where a yes is enough. */
  readonly code: PairingCode | null;
  readonly expires: Monotonic;
}

/**
 * What became of a request. `renewed`: it was waiting already and has its whole time again. `clashed`: another claim has the
 * same code, or had it a while ago; none of them counts. `too-many`: its source, or all of them, have enough claims.
 */
export type ClaimOutcome = 'made' | 'renewed' | 'clashed' | 'too-many';

export interface ClaimLimits {
  /** Of an IPv4 address or an IPv6 /64. */
  readonly perSource: number;
  /** Beyond it the user's oldest gives way. */
  readonly perUser: number;
  readonly inAll: number;
}

const LIMITS: ClaimLimits = { perSource: 5, perUser: 5, inAll: 1000 };

/**
 * The claims that wait. Invariants: a user has at most one for an address, and the latest replaces the one before; a code belongs
 * to one live claim at most. Where two claim one code, both are void, and so is the code for as long as a claim would
 * live: whoever overheard a code and claims it for an address of his own gets nothing by doing so twice.
 */
export class Claims {
  readonly #clock: Clock;
  readonly #limits: ClaimLimits;
  /** Both in the order in which they end, since each lasts equally long from when it is put in. */
  readonly #claims = new Map<string, Claim>();
  readonly #void = new Map<string, Monotonic>();

  constructor(options: { clock: Clock; limits?: ClaimLimits }) {
    this.#clock = options.clock;
    this.#limits = options.limits ?? LIMITS;
  }

  /** A user asks for an address. The claim is null where none was made. */
  make(
    user: Claim['user'],
    address: Address,
    code: PairingCode | null,
  ): { outcome: ClaimOutcome; claim: Claim | null } {
    const now = this.#prune();
    const key = keyOf(user.id, address);
    const before = this.#claims.get(key);
    this.#claims.delete(key);
    if (code !== null) {
      const other = [...this.#claims.values()].find((claim) => claim.code === code);
      if (other !== undefined || this.#void.has(code)) {
        if (other !== undefined) this.#delete(other);
        this.#voidCode(code, now);
        return { outcome: 'clashed', claim: null };
      }
    }
    if (this.#isFull(address)) return { outcome: 'too-many', claim: null };
    this.#makeRoom(user.id);
    const { id, name, sequenceId } = user;
    const claim: Claim = { user: { id, name, sequenceId }, address, code, expires: after(now, CLAIM_LIFE) };
    this.#claims.set(key, claim);
    const isSame = before?.code === code && before.user.sequenceId === sequenceId;
    return { outcome: isSame ? 'renewed' : 'made', claim };
  }

  /** The claims of this user, those that end first first. */
  ofUser({ id, sequenceId }: Claim['user']): Claim[] {
    return this.list().filter(({ user }) => user.id === id && user.sequenceId === sequenceId);
  }

  /** The claim of this user with this code; somebody else's code is none. */
  withCode(user: Claim['user'], code: string): Claim | undefined {
    return this.ofUser(user).find((claim) => claim.code === code);
  }

  /** The claims of this user that wait for a yes without a code, the latest first. */
  waiting(user: Claim['user']): Claim[] {
    return this.ofUser(user)
      .filter(({ code }) => code === null)
      .reverse();
  }

  /** Whether a claim still waits, be it renewed. */
  isLive(claim: Claim): boolean {
    return this.#current(claim) !== undefined;
  }

  /** A claim has had its answer. */
  settle(claim: Claim): void {
    const current = this.#current(claim);
    if (current !== undefined) this.#delete(current);
  }

  /** Drops all claims of a user. */
  dropAllOf(userId: number): void {
    for (const claim of [...this.#claims.values()]) if (claim.user.id === userId) this.#delete(claim);
  }

  /** All that wait, those that end first first. */
  list(): Claim[] {
    this.#prune();
    return [...this.#claims.values()];
  }

  #current(claim: Claim): Claim | undefined {
    this.#prune();
    const current = this.#claims.get(keyOf(claim.user.id, claim.address));
    return current?.code === claim.code && current.user.sequenceId === claim.user.sequenceId ? current : undefined;
  }

  #isFull(address: Address): boolean {
    if (this.#claims.size + this.#void.size >= this.#limits.inAll) return true;
    const source = strikeTarget(address);
    const sameSource = [...this.#claims.values()].filter((claim) => strikeTarget(claim.address) === source);
    return sameSource.length >= this.#limits.perSource;
  }

  #makeRoom(userId: number): void {
    const theirs = [...this.#claims.values()].filter(({ user }) => user.id === userId);
    for (const claim of theirs.slice(0, Math.max(0, theirs.length - this.#limits.perUser + 1))) this.#delete(claim);
  }

  #voidCode(code: string, now: Monotonic): void {
    this.#void.delete(code);
    this.#void.set(code, after(now, CLAIM_LIFE));
  }

  #delete({ user, address }: Claim): void {
    this.#claims.delete(keyOf(user.id, address));
  }

  #prune(): Monotonic {
    const now = this.#clock.monotonic();
    for (const [key, { expires }] of this.#claims) {
      if (expires > now) break;
      this.#claims.delete(key);
    }
    for (const [code, until] of this.#void) {
      if (until > now) break;
      this.#void.delete(code);
    }
    return now;
  }
}

function keyOf(userId: number, address: Address): string {
  return `${userId} ${address}`;
}
