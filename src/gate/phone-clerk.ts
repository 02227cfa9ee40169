import type { Address } from '../core/address.js';
import type { Claim, Claims } from '../core/claims.js';
import { SallyportError } from '../core/errors.js';
import type { GrantId } from '../core/grants/grant.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import type { MenuEvent, Offer, Waiting } from '../core/phone/dialogue.js';
import { between, type Clock, type Duration, millis } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Log } from './log.js';
import type { People } from './people.js';
import type { Question } from './phone-call.js';
import { countedAs, type PinDesk } from './pin-desk.js';
import type { Recorder } from './recorder.js';

/** So many wrong PINs end a call. */
const TRIES = 3;

export interface ClerkOptions {
  readonly people: People;
  readonly ledger: GrantLedger;
  readonly doorkeeper: Doorkeeper;
  readonly claims: Claims;
  readonly pins: PinDesk;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  readonly defaultTtl: Duration;
  readonly maxTtl: Duration;
}

/** What is being offered, and the claim that it answers, if it is one. */
interface Pending {
  readonly address: Address;
  readonly offer: Offer;
  readonly claim: Claim | null;
}

/**
 * Answers one call's questions. Nothing is opened, told or closed before the PIN was right, and then only what is the caller's
 * own; for a user with an approval no address is opened without a claim, whatever a menu asks for. Whatever was found out
 * earlier in the call is looked at again before something is opened, since users may be changed or removed meanwhile.
 */
export class PhoneClerk {
  readonly #o: ClerkOptions;
  readonly #callerId: string | null;
  readonly #note: string | null;
  /** Whom we have rung, and for what. */
  readonly #rung: Claim | null;
  #tries = 0;
  /** As they were when their PIN was right. */
  #caller: User | undefined;
  #pending: Pending | undefined;

  constructor(
    options: ClerkOptions,
    about: { readonly callerId: string | null; readonly rung: Claim | null; readonly note?: string },
  ) {
    this.#o = options;
    this.#callerId = about.callerId;
    this.#note = about.note ?? (about.callerId === null ? null : `caller ${about.callerId}`);
    this.#rung = about.rung;
  }

  /** What the one who was rung is asked about; undefined where it is nothing any more. */
  offer(): Offer | undefined {
    const user = this.#rung === null ? undefined : this.#ofClaim(this.#rung);
    if (user === undefined || this.#rung === null) return undefined;
    return this.#propose(user, this.#rung.address, this.#rung);
  }

  async answer(question: Question): Promise<MenuEvent> {
    switch (question.kind) {
      case 'verify':
        return await this.#verify(question.account, question.pin);
      case 'report':
        return await this.#report();
      case 'propose': {
        const user = this.#still();
        const offer = user && this.#propose(user, question.address, null);
        return offer === undefined ? { kind: 'unfit' } : { kind: 'proposed', offer };
      }
      case 'find-claim': {
        const user = this.#still();
        const { code } = question;
        const claim = user && (code === null ? this.#o.claims.waiting(user)[0] : this.#o.claims.withCode(user, code));
        if (claim === undefined || user === undefined) return { kind: 'no-claim' };
        const offer = this.#propose(user, claim.address, claim);
        return offer === undefined ? { kind: 'unfit' } : { kind: 'proposed', offer };
      }
      case 'grant':
        return await this.#grant();
      case 'list-open':
        return this.#listOpen();
      case 'close':
        return await this.#close(question.id);
    }
  }

  /** Opens what the menu would offer a user for an address, without a PIN: the PBX vouches for them. */
  async authorize(user: User, address: Address): Promise<MenuEvent> {
    this.#caller = user;
    return this.#propose(user, address, null) === undefined ? { kind: 'unfit' } : await this.#grant();
  }

  async #verify(account: string, pin: string): Promise<MenuEvent> {
    const { people, claims, pins } = this.#o;
    const user = this.#rung === null ? people.ofAccount(account) : this.#ofClaim(this.#rung);
    const counted = this.#rung === null || user === undefined ? account : countedAs(user);
    this.#caller = undefined;
    this.#tries++;
    const isRight = await pins.isRight({ user, account: counted, pin, callerId: this.#callerId });
    if (!isRight || user === undefined) return { kind: 'denied', isLast: this.#tries >= TRIES };
    this.#caller = user;
    return { kind: 'verified', waiting: waitingOf(claims.ofUser(user)), needsClaim: needsClaim(user) };
  }

  #propose(user: User, address: Address, claim: Claim | null): Offer | undefined {
    const offer = this.#offerOf(user, address, claim);
    this.#pending = offer && { address, offer, claim };
    return offer;
  }

  /** Undefined where the address may not be let in. */
  #offerOf(user: User, address: Address, claim: Claim | null): Offer | undefined {
    const { doorkeeper, defaultTtl, maxTtl } = this.#o;
    const { services, ttl } = user;
    if (claim === null && needsClaim(user)) return undefined;
    if (doorkeeper.refusal(address) !== undefined) return undefined;
    return { target: doorkeeper.widen(address), services, ttl: millis(Math.min(ttl ?? defaultTtl, maxTtl)) };
  }

  /** Opens what the caller has heard, and only if that is what would be offered now. */
  async #grant(): Promise<MenuEvent> {
    const { doorkeeper, claims, clock } = this.#o;
    const [user, pending] = [this.#still(), this.#pending];
    this.#pending = undefined;
    if (user === undefined || pending === undefined) return { kind: 'failed' };
    const { address, offer, claim } = pending;
    if (!isSame(this.#offerOf(user, address, claim), offer)) return { kind: 'failed' };
    if (claim !== null && (claim.user.sequenceId !== user.sequenceId || !claims.isLive(claim)))
      return { kind: 'failed' };
    try {
      const { target, services, ttl } = offer;
      const grant = await doorkeeper.open({ user, target, services, ttl, method: 'phone', note: this.#note });
      if (claim !== null) claims.settle(claim);
      return { kind: 'granted', ttl: inWholeSeconds(between(clock.monotonic(), grant.expires)) };
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      this.#o.log.error({ err: error, user: user.name }, 'the packet filter did not take a grant by phone');
      return { kind: 'failed' };
    }
  }

  #listOpen(): MenuEvent {
    const { ledger, clock } = this.#o;
    const user = this.#still();
    if (user === undefined) return { kind: 'failed' };
    const now = clock.monotonic();
    const byExpiry = ledger.ofUser(user.id).sort((a, b) => a.expires - b.expires);
    const grants = byExpiry.map(({ id, target, expires }) => ({ id, target, remaining: between(now, expires) }));
    return { kind: 'open', grants };
  }

  async #close(id: GrantId): Promise<MenuEvent> {
    const { ledger, doorkeeper } = this.#o;
    const user = this.#still();
    const grant = ledger.get(id);
    if (user === undefined) return { kind: 'failed' };
    if (grant === undefined) return { kind: 'closed' };
    if (grant.user?.id !== user.id) return { kind: 'failed' };
    await doorkeeper.end([grant], 'revoked', 'by phone');
    return { kind: 'closed' };
  }

  /** Who was rung knows nothing of it. That takes no PIN: it closes, and opens nothing. */
  async #report(): Promise<MenuEvent> {
    const { ledger, doorkeeper, claims, recorder, clock, log } = this.#o;
    if (this.#rung === null) return { kind: 'failed' };
    const { user, address } = this.#rung;
    claims.dropAllOf(user.id);
    const detail = 'the request was not theirs: all of theirs is closed, and they need a new sequence (user rotate)';
    void recorder.tell({ at: clock.now(), event: 'alarm.raised', user: user.name, address, method: 'phone', detail });
    log.warn({ user: user.name, address }, `alarm.raised: ${detail}`);
    await doorkeeper.end(ledger.ofUser(user.id), 'revoked', 'reported by phone');
    return { kind: 'closed' };
  }

  /** The caller as they are now, if nothing has changed that the PIN was given for. */
  #still(): User | undefined {
    const caller = this.#caller;
    const now = caller && this.#o.people.find(caller.name);
    const isSameOne = now?.id === caller?.id && now?.account === caller?.account && now?.pinHash === caller?.pinHash;
    return isSameOne ? now : undefined;
  }

  #ofClaim({ user }: Claim): User | undefined {
    const now = this.#o.people.ofSequence(user.sequenceId);
    return now?.id === user.id ? now : undefined;
  }
}

/** A PIN alone lets in nothing for a user with an approval. */
export function needsClaim({ approval }: User): boolean {
  return approval !== 'none';
}

function waitingOf(claims: readonly Claim[]): Waiting {
  if (claims.some(({ code }) => code === null)) return 'request';
  return claims.length > 0 ? 'code' : 'nothing';
}

function isSame(a: Offer | undefined, b: Offer): boolean {
  return a?.target === b.target && a.ttl === b.ttl && a.services.join() === b.services.join();
}

/** A moment has passed since it was opened. */
function inWholeSeconds(duration: Duration): Duration {
  return millis(Math.ceil(duration / 1000) * 1000);
}
