import type { Address } from '../core/address.js';
import type { Authorization, AuthorizationFault } from '../core/phone/link.js';
import type { User } from '../core/user.js';
import { FloodLimit } from './flood-limit.js';
import { type ClerkOptions, needsClaim, PhoneClerk } from './phone-clerk.js';

/**
 * Lets in whom an administrator's own dialplan vouches for: what the menu would open for that account, and nothing for one that
 * may not call. Whoever can send user events can ask without end, so both what is opened and what is written down are bounded.
 */
export class AuthorizationDesk {
  readonly #o: ClerkOptions;
  readonly #openings: FloodLimit;
  readonly #refusals: FloodLimit;

  constructor(options: ClerkOptions) {
    this.#o = options;
    const { clock, log } = options;
    this.#openings = new FloodLimit(clock, (count) => log.warn({ count }, 'too many authorizations by UserEvent'));
    this.#refusals = new FloodLimit(clock, (count) => log.warn({ count }, 'more refusals than the journal takes'));
  }

  stop(): void {
    this.#openings.stop();
    this.#refusals.stop();
  }

  /** Never rejects. */
  async take(authorization: Authorization): Promise<void> {
    if ('fault' in authorization) return this.#refuse(FAULTS[authorization.fault]);
    const { account, address } = authorization;
    const user = this.#o.people.ofAccount(account);
    try {
      const problem = this.#openings.takes() ? await this.#open(user, address) : 'too many at once';
      if (problem !== undefined) this.#refuse(problem, user, address);
    } catch (error) {
      this.#o.log.error({ err: error }, 'an authorization by UserEvent went wrong');
    }
  }

  /** Why it was not opened; undefined where it was. */
  async #open(user: User | undefined, address: Address): Promise<string | undefined> {
    const { doorkeeper, pins } = this.#o;
    if (user === undefined) return 'an unknown account';
    if (needsClaim(user)) return 'this user has to say yes to a claim of theirs';
    if (pins.isLockedOut(user)) return 'the account is locked out';
    const reason = doorkeeper.refusal(address);
    if (reason !== undefined) return `it is ${reason}`;
    const clerk = new PhoneClerk(this.#o, { callerId: null, rung: null, note: 'by UserEvent' });
    const { kind } = await clerk.authorize(user, address);
    return kind === 'granted' ? undefined : 'the packet filter did not take it';
  }

  #refuse(why: string, user?: User, address: Address | null = null): void {
    if (!this.#refusals.takes()) return;
    const { recorder, clock, log } = this.#o;
    const [name, detail] = [user?.name ?? null, `by UserEvent: ${why}`];
    const event = 'attempt.refused';
    void recorder.tell({ at: clock.now(), event, user: name, address, method: 'phone', detail });
    log.warn({ user: name, address }, `${event}: ${detail}`);
  }
}

const FAULTS: Readonly<Record<AuthorizationFault, string>> = {
  'no-channel': 'it comes from no channel',
  repeated: 'a header was sent more than once',
  foreign: 'it has a header that is neither Account nor Address',
  both: 'Account and Address have to be sent in two events',
  neither: 'it has neither Account nor Address',
  odd: 'its value cannot be read',
  'second-account': 'a second account on its channel, where an address was due',
  'no-account': 'no account was sent on its channel in the five seconds before the address',
};
