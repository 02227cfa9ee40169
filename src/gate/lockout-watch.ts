import { type Address, coveringTargets, covers, neverAllowed, parseAddress } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { Given } from '../core/given.js';
import type { Grant } from '../core/grants/grant.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { type Allowed, type Lockout, lockoutOf, type WaysIn } from '../core/lockout.js';
import type { Port } from '../core/ports.js';
import type { GuardRules } from '../core/rules.js';
import type { Entries } from './entries.js';
import type { RuleBook } from './guard/rule-book.js';
import type { NameDesk } from './name-desk.js';
import type { People } from './people.js';

/** Who is logged in, and where sshd listens. */
export interface SshAccess {
  /** The other ends of authenticated sessions. */
  peers(): Promise<readonly Address[]>;
  ports(): Promise<readonly Port[]>;
  ownAddresses(): ReadonlySet<Address>;
}

export interface LockoutWatchOptions {
  readonly ssh: SshAccess;
  readonly book: RuleBook;
  readonly people: People;
  readonly entries: Entries;
  readonly names: NameDesk;
  /** Whom rules let in. */
  readonly given: (rules: GuardRules) => Given;
  readonly ledger: GrantLedger;
}

/** What a change leaves of whom is let in; what is left out stays as it is. */
export interface Leaves {
  readonly rules?: GuardRules;
  readonly allowed?: readonly Allowed[];
  readonly goneGrants?: readonly Grant[];
}

/** Sees to it that nobody who is logged in over SSH is shut out by mistake, nor the last way in closed. */
export class LockoutWatch {
  readonly #o: LockoutWatchOptions;

  constructor(options: LockoutWatchOptions) {
    this.#o = options;
  }

  /**
   * Whom a change would shut out of SSH.
   * @param own the other ends of the sessions that the change is asked for in, as their command tells them
   * @param isOpen nothing is closed at the moment: everybody gets in
   * @throws SP_ADDRESS_INVALID
   */
  async lockout(leaves: Leaves, own: readonly string[], isOpen = false): Promise<Lockout> {
    const { ssh, book } = this.#o;
    const live = await ssh.peers();
    const addresses = ssh.ownAddresses();
    const peers = [...new Set([...own.map(parseAddress), ...live])];
    const strangers = peers.filter((peer) => neverAllowed(peer, addresses) === undefined);
    const lasting = book.fallback ?? book.current;
    const { rules = lasting, goneGrants = [] } = leaves;
    const isByGrant = (peer: Address) => goneGrants.some(({ target }) => covers(target, peer));
    // Looking the ports up holds the event loop: most grants that go are of nobody who is logged in.
    const areGrantsAlone = leaves.rules === undefined && leaves.allowed === undefined && !isOpen;
    if (areGrantsAlone && !strangers.some(isByGrant)) return { peers: [], everyone: false };
    const ports = await ssh.ports();
    const before = this.#waysIn(lasting, this.#allowedBy(lasting), []);
    const after = this.#waysIn(rules, leaves.allowed ?? this.#allowedBy(rules), goneGrants);
    const found = lockoutOf(before, after, strangers, ports);
    if (!isOpen) return found;
    const open = { ...before, rules: { ...before.rules, policy: 'guard', guarded: new Map() } } as const;
    return { ...found, peers: lockoutOf(open, after, strangers, ports).peers };
  }

  /** @throws SP_WOULD_LOCK_OUT where anybody would be shut out */
  refuse({ peers, everyone }: Lockout, what: string): void {
    if (peers.length > 0) {
      const who = `${peers.join(', ')}, who ${peers.length === 1 ? 'is' : 'are'} logged in over SSH`;
      throw new SallyportError('SP_WOULD_LOCK_OUT', { what, who });
    }
    if (everyone)
      throw new SallyportError('SP_WOULD_LOCK_OUT', { what, who: 'everybody: it is the last way in to SSH' });
  }

  /** Who is let in until removed, where these rules hold. */
  #allowedBy(rules: GuardRules): Allowed[] {
    const { entries, names } = this.#o;
    const given = this.#o.given(rules);
    return [...entries.listWith(given.entries), ...names.entries(given.names)];
  }

  #waysIn(rules: GuardRules, entries: readonly Allowed[], gone: readonly Grant[]): WaysIn {
    const { people, ledger } = this.#o;
    return {
      rules,
      entries,
      grantsFor: (address) =>
        coveringTargets(address)
          .flatMap((target) => ledger.atTarget(target))
          .filter((grant) => !gone.includes(grant)),
      knocks: people
        .list()
        .filter(({ approval }) => approval === 'none')
        .map(({ services }) => services),
    };
  }
}
