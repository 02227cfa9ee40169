import type { Address } from '../core/address.js';
import { CLAIM_LIFE, type Claim, type ClaimOutcome, type Claims } from '../core/claims.js';
import type { EventName } from '../core/journal.js';
import type { CompletedKnock } from '../core/knock/source.js';
import { looksLikePairing, type PairingCode, parsePairing } from '../core/pairing.js';
import { type Clock, formatDuration } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

export interface ClaimDeskOptions {
  readonly claims: Claims;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether anybody can say yes: there is a telephone. */
  readonly hasPhone: boolean;
}

/** Makes claims of the knocks that open nothing by themselves, takes them back, and tells the journal of them, never of their codes. */
export class ClaimDesk {
  readonly #o: ClaimDeskOptions;
  #onCallback: (user: User, claim: Claim) => void = () => undefined;

  constructor(options: ClaimDeskOptions) {
    this.#o = options;
  }

  /** Tells of claims whose users are to be rung. One listener. */
  watch(onCallback: (user: User, claim: Claim) => void): void {
    this.#onCallback = onCallback;
  }

  /** Makes a claim of a knock if it is one: its user has to say yes first, or it carries a pairing code. */
  takes(user: User, { source, payload }: Pick<CompletedKnock, 'source' | 'payload'>): boolean {
    const code = parsePairing(payload) ?? null;
    if (code === null && looksLikePairing(payload)) {
      this.#tell('claim.refused', user, source, 'its pairing code cannot be read');
      return true;
    }
    if (code === null && user.approval === 'none') return false;
    this.#make(user, source, code);
    return true;
  }

  /** Takes back those that wait and are meant: no yes opens them any more. */
  revoke(isMeant: (claim: Claim) => boolean, detail: string): Claim[] {
    const { claims } = this.#o;
    const meant = claims.list().filter(isMeant);
    for (const claim of meant) {
      claims.settle(claim);
      this.#tell('claim.revoked', claim.user, claim.address, detail);
    }
    return meant;
  }

  #make(user: User, address: Address, code: PairingCode | null): void {
    const { outcome, claim } = this.#o.claims.make(user, address, code);
    if (outcome === 'made') this.#tell('claim.made', user, address, this.#waitsFor(user, code));
    else if (outcome !== 'renewed') this.#tell('claim.refused', user, address, REFUSED[outcome]);
    if (claim !== null && code === null && user.approval === 'callback') this.#onCallback(user, claim);
  }

  #waitsFor({ approval }: User, code: PairingCode | null): string {
    const what =
      code !== null ? 'the pairing code by phone' : approval === 'callback' ? 'an answer to a call' : 'a call';
    const detail = `waits ${formatDuration(CLAIM_LIFE)} for ${what}`;
    return this.#o.hasPhone ? detail : `${detail}, but the configuration has no phone section`;
  }

  #tell(event: EventName, user: Claim['user'], address: Address, detail: string): void {
    const at = this.#o.clock.now();
    void this.#o.recorder.tell({ at, event, user: user.name, address, method: 'knock', detail });
    const line = `${event}: ${detail}`;
    if (event === 'claim.refused') this.#o.log.warn({ user: user.name, address }, line);
    else this.#o.log.info({ user: user.name, address }, line);
  }
}

const REFUSED: Readonly<Record<Exclude<ClaimOutcome, 'made' | 'renewed'>, string>> = {
  clashed: 'another claim has the same pairing code; both are void',
  'too-many': 'too many claims wait already',
};
