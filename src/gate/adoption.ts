import type { ElementPlace, KernelElement } from '../core/firewall.js';
import { parseComment } from '../core/grants/comment.js';
import type { Grant, GrantId } from '../core/grants/grant.js';
import type { HeldTargets } from '../core/grants/held.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { adoptGrants, type Lapse } from '../core/grants/restore.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change } from '../core/store.js';
import { type Clock, type Instant, wallTime } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Adoption } from './guard/contents-repair.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

export interface AdopterOptions {
  /** The users there are at the moment, by their ids. */
  readonly users: () => ReadonlyMap<number, User>;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly recorder: Recorder;
  readonly log: Log;
}

/** Takes in grants of which only elements tell, since they were opened just before a crash. */
export class Adopter implements Adoption {
  readonly #o: AdopterOptions;
  readonly #lapse: Lapse;
  readonly #ended: ReadonlySet<GrantId>;

  /** @param ended grants that have ended, by what the store and the clocks say: no element brings them back */
  constructor(options: AdopterOptions, lapse: Lapse, ended: ReadonlySet<GrantId>) {
    const { users, clock, ledger, held, recorder, log } = options;
    // Nothing else is kept: what they were made of is large.
    this.#o = { users, clock, ledger, held, recorder, log };
    this.#lapse = lapse;
    this.#ended = ended;
  }

  /** Whether an element tells of a grant that is not known. */
  hasNews({ comment }: KernelElement): boolean {
    return comment !== null && parseComment(comment).some(({ id }) => !this.#isKnown(id));
  }

  take(elements: readonly KernelElement[]): ElementPlace[] {
    const { users: now, clock, ledger, held, recorder, log } = this.#o;
    const users = now();
    const { adopted, orphaned } = adoptGrants(elements, (id) => this.#isKnown(id), users, this.#lapse, clock);
    for (const grant of orphaned) void recorder.record(endOfOrphan(grant, clock));
    const owners = new Set<User>();
    for (const grant of adopted) {
      ledger.restore(grant);
      held.hold(grant.target, grant.expires);
      void recorder.record(adoption(grant, clock));
      log.info({ address: grant.target, grant: grant.id }, 'a grant from before the crash was found');
      const owner = users.get(grant.user?.id ?? 0);
      if (owner !== undefined) owners.add(owner);
    }
    return this.evict(owners);
  }

  /**
   * Ends what users have beyond `maxAddresses`: a crash may have left a grant that gave way beside the one that it gave way to.
   * @returns where the kernel may have elements of what was ended
   */
  evict(users: Iterable<User>): ElementPlace[] {
    const { clock, ledger, recorder } = this.#o;
    const places: ElementPlace[] = [];
    for (const user of users) {
      for (const grant of ledger.trim(user)) {
        const { id, services, target } = grant;
        const event = tell(grant, 'grant.revoked', clock.now(), 'gave way: the user has no more addresses');
        void recorder.record([{ kind: 'grant.end', id, at: clock.now(), reason: 'evicted' }, event]);
        for (const scope of services) places.push({ scope, target });
      }
    }
    return places;
  }

  end(): void {
    this.#o.ledger.forgetEnded();
  }

  #isKnown(id: GrantId): boolean {
    return this.#ended.has(id) || this.#o.ledger.hasHad(id);
  }
}

/** The record of a grant as it stands. */
export function put(grant: Grant, clock: Clock): Change {
  return { kind: 'grant.put', record: { grant, expiresAt: wallTime(clock, grant.expires), ended: null } };
}

/** Together, so that another crash leaves no grant without a word in the journal. */
function adoption(grant: Grant, clock: Clock): Change[] {
  return [put(grant, clock), tell(grant, 'grant.opened', grant.openedAt, 'found in the kernel after a crash')];
}

/** Nobody is to be let in by it: what the kernel still has of it is taken out as something that nothing asks for. */
function endOfOrphan(grant: Grant, clock: Clock): Change[] {
  const record = {
    grant,
    expiresAt: wallTime(clock, grant.expires),
    ended: { at: clock.now(), reason: 'revoked' },
  } as const;
  return [
    { kind: 'grant.put', record },
    tell(grant, 'grant.opened', grant.openedAt, 'found in the kernel after a crash'),
    tell(grant, 'grant.revoked', clock.now(), 'the user was removed'),
  ];
}

/** A word in the journal. */
export function tell(grant: Grant, event: JournalEvent['event'], at: Instant, detail: string): Change {
  const { target: address, user, services, method, id } = grant;
  return {
    kind: 'journal',
    event: { at, event, user: user?.name ?? null, address, services, method, grant: id, detail },
  };
}
