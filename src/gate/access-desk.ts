import type { Config } from '../config/config.js';
import type { AllowRequest, AllowResult, RevokeRequest, RevokeResult } from '../control/contract/gateway.js';
import { covers, parseAddress, parseTarget, prefixLength, type Target } from '../core/address.js';
import type { Claim } from '../core/claims.js';
import { SallyportError } from '../core/errors.js';
import type { Grant } from '../core/grants/grant.js';
import { parseGrantId } from '../core/grants/id.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import type { HostName } from '../core/names/host-name.js';
import { type Scope, toScope } from '../core/service.js';
import { type Clock, parseDuration } from '../core/time.js';
import type { User } from '../core/user.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Entries } from './entries.js';
import type { RuleBook } from './guard/rule-book.js';
import type { LockoutWatch } from './lockout-watch.js';
import type { NameDesk, TrackedEntry } from './name-desk.js';
import { type People, ttlTooLong } from './people.js';
import type { Recorder } from './recorder.js';
import type { Strikes } from './strikes.js';
import { parseTargetOrName } from './target-or-name.js';
import { viewClaims, viewEntry, viewGrant, viewName } from './views.js';

export interface AccessDeskOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly people: People;
  readonly entries: Entries;
  readonly names: NameDesk;
  readonly doorkeeper: Doorkeeper;
  readonly recorder: Recorder;
  readonly strikes: Strikes;
  readonly claimDesk: ClaimDesk;
  readonly book: RuleBook;
  readonly watch: LockoutWatch;
}

/** What a word of the operator's means. */
interface Found {
  readonly grants: Grant[];
  readonly entries: ReturnType<Entries['list']>;
  readonly names: readonly TrackedEntry[];
  /** Whether a claim is one of those that are meant. */
  readonly isMeant: (claim: Claim) => boolean;
  /** There is such a thing, though nothing of it may be open. */
  readonly isKnown: boolean;
}

/** Whom an operator lets in, for a while or for good, and puts out again. */
export class AccessDesk {
  readonly #o: AccessDeskOptions;

  constructor(options: AccessDeskOptions) {
    this.#o = options;
  }

  /**
   * Opens for a while, or makes an entry that stays where no time is asked for. Strikes are cleared along with it.
   * @throws SP_ADDRESS_REFUSED, SP_TARGET_EVERYONE, SP_TARGET_NAME, SP_ENTRIES_FULL, SP_NAMES_FULL, SP_TTL_TOO_LONG, SP_USER_UNKNOWN,
   * SP_FIREWALL_FAILED and those of the words
   */
  async allow(request: AllowRequest): Promise<AllowResult> {
    const { config, doorkeeper, people, strikes } = this.#o;
    const { target, name } = parseTargetOrName(request.target);
    const user = request.user === undefined ? null : people.get(request.user);
    const services = this.#scope(request.services, user);
    if (name !== undefined) return await this.#allowName(name, services, request);
    const refusal = doorkeeper.refusal(target);
    if (refusal !== undefined) throw new SallyportError('SP_ADDRESS_REFUSED', { address: target, reason: refusal });
    if (prefixLength(target) === 0 && request.force !== true)
      throw new SallyportError('SP_TARGET_EVERYONE', { target });
    const note = request.note ?? null;
    const struck = (await strikes.ignoredIn(target)).map((one) => one.target);
    if (request.for === undefined) {
      if (user !== null) throw entryOfNobody();
      const entry = await this.#o.entries.add({ target, services, note, source: 'operator' });
      await strikes.clear(target);
      return { entry: viewEntry(entry), grant: null, listened_to: struck, recorded: true };
    }
    const ttl = parseDuration(request.for);
    if (ttl > config.grants.maxTtl) throw ttlTooLong(request.for, config.grants.maxTtl);
    const grant = await doorkeeper.open({ user, target: doorkeeper.widen(target), services, ttl, method: 'cli', note });
    return {
      grant: viewGrant(grant, this.#o.clock),
      entry: null,
      listened_to: struck,
      recorded: this.#isRecorded(),
    };
  }

  /** A name has no time of its own: which addresses it stands for changes, and when it should end would be forgotten. */
  async #allowName(name: HostName, services: Scope, request: AllowRequest): Promise<AllowResult> {
    const { names, strikes, clock } = this.#o;
    if (request.for !== undefined) throw new SallyportError('SP_TARGET_NAME', { value: name });
    if (request.user !== undefined) throw entryOfNobody();
    const note = request.note ?? null;
    const named = await names.add({ name, services, note, source: 'operator' });
    const { addresses } = named.tracker;
    const struck = (await Promise.all(addresses.map((one) => strikes.ignoredIn(one)))).flat();
    await Promise.all(addresses.map((one) => strikes.clear(one)));
    const listenedTo = struck.map(({ target }) => target);
    return { entry: viewName(named, clock), grant: null, listened_to: listenedTo, recorded: true };
  }

  /** Ends what goes by a user's name, an id, an address or a host name. @throws SP_NOT_FOUND, SP_WOULD_LOCK_OUT */
  async revoke({ what, force, peers = [] }: RevokeRequest): Promise<RevokeResult> {
    const { claimDesk, people, clock } = this.#o;
    const found = this.#find(what);
    if (force !== true) await this.#refuseLockout(found, peers);
    // First of all: while the rest is ended, nobody may say yes to one.
    const claims = claimDesk.revoke(found.isMeant, 'by an operator');
    const dropped = viewClaims(claims, people, clock);
    if (found.grants.length + found.entries.length + found.names.length === 0) {
      if (found.isKnown || claims.length > 0) return { revoked: [], removed: [], dropped, recorded: true };
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const revoked = found.grants.map((grant) => viewGrant(grant, clock));
    const removed = [...found.entries.map(viewEntry), ...found.names.map((one) => viewName(one, clock))];
    for (const entry of found.entries) await this.#o.entries.remove(entry);
    for (const { entry } of found.names) await this.#o.names.remove(entry);
    await this.#o.doorkeeper.end(found.grants, 'revoked', 'by an operator');
    return { revoked, removed, dropped, recorded: this.#isRecorded() };
  }

  /**
   * The last way in is looked after where it is the set-up's, or everything is closed: an ordinary entry under `guard` goes
   * without a question.
   */
  async #refuseLockout({ grants, entries, names }: Found, peers: readonly string[]): Promise<void> {
    if (grants.length + entries.length + names.length === 0) return;
    const { watch, book } = this.#o;
    const goneNames = names.map(({ entry }) => entry);
    const namesLeft = this.#o.names.list().filter(({ entry }) => !goneNames.includes(entry));
    const left = [
      ...this.#o.entries.list().filter((entry) => !entries.includes(entry)),
      ...namesLeft.flatMap(({ entry: { services }, tracker }) =>
        tracker.addresses.map((target) => ({ target, services })),
      ),
    ];
    const leaves = entries.length + names.length === 0 ? {} : { allowed: left };
    const { peers: cut, everyone } = await watch.lockout({ ...leaves, goneGrants: grants }, peers);
    const isLooked = book.current.policy === 'lockdown' || entries.some(({ source }) => source === 'setup');
    watch.refuse({ peers: cut, everyone: everyone && isLooked }, 'that');
  }

  /** Whether what was just done is on the disk: where the last write failed, it waits. */
  #isRecorded(): boolean {
    return this.#o.recorder.problem === undefined;
  }

  #scope(names: readonly string[] | undefined, user: User | null): Scope {
    if (names === undefined && user !== null) return user.services;
    return toScope(names ?? [], this.#o.book.current.services);
  }

  #find(what: string): Found {
    const { ledger, people, entries, names, doorkeeper } = this.#o;
    const nothing = { grants: [], entries: [], names: [], isMeant: () => false };
    const user = people.find(what);
    if (user !== undefined) {
      const isMeant = (claim: Claim) => claim.user.id === user.id;
      return { ...nothing, grants: ledger.ofUser(user.id), isMeant, isKnown: true };
    }
    const id = parseGrantId(what);
    const byId = id === undefined ? undefined : ledger.get(id);
    if (byId !== undefined) return { ...nothing, grants: [byId], isKnown: true };
    const entry = entries.find(what);
    if (entry !== undefined) return { ...nothing, entries: [entry], isKnown: true };
    const named = names.find(what);
    if (named.length > 0) return { ...nothing, names: named, isKnown: true };
    let target: Target;
    try {
      target = parseTarget(what);
    } catch {
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const targets = new Set([target, target.includes('/') ? target : doorkeeper.widen(parseAddress(target))]);
    const grants = [...targets].flatMap((one) => ledger.atTarget(one));
    return {
      ...nothing,
      grants,
      entries: entries.list().filter((one) => targets.has(one.target)),
      isMeant: ({ address }) => [...targets].some((one) => covers(one, address)),
      isKnown: false,
    };
  }
}

function entryOfNobody(): SallyportError {
  return new SallyportError('SP_USAGE', { problem: 'an entry belongs to no user; give --for to open for a while' });
}
