import { randomUUID } from 'node:crypto';
import type { Claim } from '../core/claims.js';
import type { PhoneLink, PhoneNumber, RingFailure } from '../core/phone/link.js';
import { RingBudget } from '../core/phone/ring-budget.js';
import { type Clock, seconds } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

/** A ring of which nothing is heard any more is over after this. */
const LONGEST_RING = seconds(90);

export interface CallbackOptions {
  readonly link: Pick<PhoneLink, 'ring'>;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether one more call can be led. */
  readonly hasRoom: () => boolean;
}

const FAILURES: Readonly<Record<RingFailure, string>> = {
  busy: 'the number is busy',
  unanswered: 'nobody picked up',
  unreachable: 'the number cannot be reached',
};

/** Rings users whose address asks to be let in: one ring or call for each user at a time, and so many within an hour. */
export class Callbacks {
  readonly #o: CallbackOptions;
  readonly #budget: RingBudget;
  readonly #rings = new Map<string, { readonly claim: Claim; readonly timer: NodeJS.Timeout }>();
  /** Users who are being rung, or asked. */
  readonly #busy = new Set<number>();
  /** Users of whom it was told that their budget is used up. */
  readonly #told = new Set<number>();

  constructor(options: CallbackOptions) {
    this.#o = options;
    this.#budget = new RingBudget(options.clock);
  }

  /** How many telephones ring. */
  get size(): number {
    return this.#rings.size;
  }

  /** Rings a user for a claim. The claim waits in any case: they can call as well. */
  request({ id, number }: User, claim: Claim): void {
    if (this.#busy.has(id)) return;
    if (number === null) this.#unanswered(claim, 'there is no number to ring');
    else if (!this.#o.hasRoom()) this.#unanswered(claim, 'not rung: too many calls already');
    else if (this.#budget.spend(id)) this.#ring(id, number, claim);
    else {
      if (!this.#told.has(id)) this.#unanswered(claim, 'not rung: too many calls within an hour');
      this.#told.add(id);
    }
  }

  #ring(userId: number, number: PhoneNumber, claim: Claim): void {
    this.#told.delete(userId);
    this.#busy.add(userId);
    const ring = randomUUID();
    const timer = setTimeout(() => this.failed(ring, 'unreachable'), LONGEST_RING).unref();
    this.#rings.set(ring, { claim, timer });
    this.#o.log.info({ user: claim.user.name, address: claim.address }, 'the user is rung for a yes');
    this.#o.link.ring(ring, number);
  }

  /** Somebody picked up; the claim that it is about, undefined for a ring that is none of ours. */
  answered(ring: string): Claim | undefined {
    return this.#take(ring);
  }

  failed(ring: string, why: RingFailure): void {
    const claim = this.#take(ring);
    if (claim === undefined) return;
    this.#busy.delete(claim.user.id);
    this.#unanswered(claim, FAILURES[why]);
  }

  /** The call is over. */
  over(claim: Claim, outcome: 'granted' | 'reported' | 'nothing'): void {
    this.#busy.delete(claim.user.id);
    if (outcome === 'reported') this.#budget.exhaust(claim.user.id);
    if (outcome === 'nothing') this.#unanswered(claim, 'somebody picked up and did not say yes');
  }

  stop(): void {
    for (const { timer } of this.#rings.values()) clearTimeout(timer);
    this.#rings.clear();
    this.#busy.clear();
  }

  #take(ring: string): Claim | undefined {
    const found = this.#rings.get(ring);
    this.#rings.delete(ring);
    clearTimeout(found?.timer);
    return found?.claim;
  }

  #unanswered({ user, address }: Claim, detail: string): void {
    const at = this.#o.clock.now();
    void this.#o.recorder.tell({ at, event: 'claim.unanswered', user: user.name, address, method: 'phone', detail });
    this.#o.log.info({ user: user.name, address }, `claim.unanswered: ${detail}`);
  }
}
