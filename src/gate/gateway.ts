import type { Config } from '../config/config.js';
import type {
  AddUserRequest,
  AllowRequest,
  AllowResult,
  FirewallView,
  GatewayApi,
  JournalRequest,
  JournalView,
  ListView,
  LongLists,
  RemoveUserResult,
  RevokeRequest,
  RevokeResult,
  SetUserRequest,
  StatusView,
  UserCard,
  UserView,
  WhoisView,
} from '../control/contract/gateway.js';
import { type Address, coveringTargets, covers, parseAddress, parseTarget, type Target } from '../core/address.js';
import type { Claim, Claims } from '../core/claims.js';
import { isSallyportError, SallyportError } from '../core/errors.js';
import type { Grant } from '../core/grants/grant.js';
import { parseGrantId } from '../core/grants/id.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { MinHeap } from '../core/heap.js';
import type { SourceHealth } from '../core/knock/source.js';
import type { PhoneHealth } from '../core/phone/link.js';
import { formatPortRange, formatPortSpan } from '../core/ports.js';
import { ALL, type Scope, toScope } from '../core/service.js';
import type { Store } from '../core/store.js';
import { between, type Clock, type Duration, type Instant, parseDuration, toIso, wallTime } from '../core/time.js';
import type { User } from '../core/user.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Entries } from './entries.js';
import type { Guard } from './guard.js';
import { parseMoment } from './moment.js';
import { newPace } from './pace.js';
import { type People, ttlTooLong } from './people.js';
import type { Recorder } from './recorder.js';
import type { Strikes } from './strikes.js';
import type { UserDesk } from './user-desk.js';
import {
  inSeconds,
  viewClaims,
  viewEntry,
  viewEvent,
  viewGrant,
  viewIgnored,
  viewPhone,
  viewStrikes,
} from './views.js';

export interface GatewayOptions {
  readonly config: Config;
  readonly notices: readonly string[];
  readonly version: string;
  readonly startedAt: Instant;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly people: People;
  readonly userDesk: UserDesk;
  readonly entries: Entries;
  readonly doorkeeper: Doorkeeper;
  readonly guard: Guard;
  readonly recorder: Recorder;
  readonly store: Store;
  readonly strikes: Strikes;
  readonly claims: Claims;
  readonly claimDesk: ClaimDesk;
  /** Null where there is no telephone. */
  readonly phoneHealth: () => PhoneHealth | null;
  readonly knockHealth: () => SourceHealth;
  /** How the process fares: the memory it takes, in bytes, and how long its event loop was held lately. */
  readonly vitals: () => { readonly rss: number; readonly longestHold: Duration };
}

/** What a word of the operator's means. */
interface Found {
  readonly grants: Grant[];
  readonly entries: ReturnType<Entries['list']>;
  /** Whether a claim is one of those that are meant. */
  readonly isMeant: (claim: Claim) => boolean;
  /** There is such a thing, though nothing of it may be open. */
  readonly isKnown: boolean;
}

/** Longer lists are made item by item while they are written. */
const LONG = 250;

/** What the operator may ask of the running daemon. */
export class Gateway implements GatewayApi {
  readonly #o: GatewayOptions;
  #isReady = false;

  constructor(options: GatewayOptions) {
    this.#o = options;
  }

  ready(): void {
    this.#isReady = true;
  }

  async status(): Promise<LongLists<StatusView>> {
    const { guard, recorder, clock } = this.#o;
    const reverts = guard.revertsAt === undefined ? undefined : inSeconds(between(clock.monotonic(), guard.revertsAt));
    const health = this.#o.knockHealth();
    const problem = recorder.problem;
    const ignored = await this.#o.strikes.ignored().catch(() => null);
    const { rss, longestHold } = this.#o.vitals();
    const phone = this.#o.phoneHealth();
    return {
      ready: this.#isReady,
      version: this.#o.version,
      started_at: toIso(this.#o.startedAt),
      grants: await this.#grants(),
      entries: this.#o.entries.list().length,
      users: this.#o.people.size,
      parts: {
        firewall: {
          state: guard.mode,
          ...(guard.detail === null ? {} : { detail: guard.detail }),
          ...(reverts === undefined ? {} : { reverts_in_s: reverts }),
        },
        knock: { state: health.state, ...(health.detail === null ? {} : { detail: health.detail }) },
        store:
          problem === undefined
            ? { state: 'ok' }
            : { state: 'failing', detail: `${problem}; ${recorder.waiting} records wait` },
        ...(phone === null ? {} : { phone: viewPhone(phone) }),
        daemon: { state: 'running', rss_mb: Math.round(rss / 1e6), loop_max_ms: Math.round(longestHold) },
      },
      claims: viewClaims(this.#o.claims.list(), this.#o.people, clock),
      strikes: viewStrikes(this.#o.strikes.limit, ignored, clock),
      notices: [...this.#o.notices],
    };
  }

  async list(): Promise<LongLists<ListView>> {
    return { entries: this.#o.entries.list().map(viewEntry), grants: await this.#grants() };
  }

  async whois(address: Address): Promise<WhoisView> {
    const { ledger, entries, config } = this.#o;
    const grants = coveringTargets(address).flatMap((target) => ledger.atTarget(target));
    const covering = entries.list().filter(({ target }) => covers(target, address));
    const ignored = await this.#o.strikes.ignoredIn(address);
    const open = new Set([...grants, ...covering].flatMap(({ services }) => services));
    const allowed = open.has(ALL)
      ? [...config.firewall.guard]
      : [...config.firewall.guard].filter((name) => open.has(name));
    return {
      address,
      grants: grants.map((grant) => viewGrant(grant, this.#o.clock)),
      entries: covering.map(viewEntry),
      allowed,
      ignored: ignored.map((one) => viewIgnored(one, this.#o.clock)),
    };
  }

  async allow(request: AllowRequest): Promise<AllowResult> {
    const { config, doorkeeper, people, strikes } = this.#o;
    const target = this.#parseTarget(request.target);
    const user = request.user === undefined ? null : people.get(request.user);
    const services = this.#scope(request.services, user);
    const refusal = doorkeeper.refusal(target);
    if (refusal !== undefined) throw new SallyportError('SP_ADDRESS_REFUSED', { address: target, reason: refusal });
    const note = request.note ?? null;
    const struck = (await strikes.ignoredIn(target)).map((one) => one.target);
    if (request.for === undefined) {
      if (user !== null)
        throw new SallyportError('SP_USAGE', {
          problem: 'an entry belongs to no user; give --for to open for a while',
        });
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

  async revoke({ what }: RevokeRequest): Promise<RevokeResult> {
    const { claimDesk, people, clock } = this.#o;
    const found = this.#find(what);
    // First of all: while the rest is ended, nobody may say yes to one.
    const claims = claimDesk.revoke(found.isMeant, 'by an operator');
    const dropped = viewClaims(claims, people, clock);
    if (found.grants.length === 0 && found.entries.length === 0) {
      if (found.isKnown || claims.length > 0) return { revoked: [], removed: [], dropped, recorded: true };
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const revoked = found.grants.map((grant) => viewGrant(grant, clock));
    for (const entry of found.entries) await this.#o.entries.remove(entry);
    await this.#o.doorkeeper.end(found.grants, 'revoked', 'by an operator');
    return { revoked, removed: found.entries.map(viewEntry), dropped, recorded: this.#isRecorded() };
  }

  users(): Promise<UserView[]> {
    return this.#o.userDesk.list();
  }

  user(name: string): Promise<UserView> {
    return this.#o.userDesk.show(name);
  }

  addUser(request: AddUserRequest): Promise<UserCard> {
    return this.#o.userDesk.add(request);
  }

  setUser(name: string, request: SetUserRequest): Promise<UserView> {
    return this.#o.userDesk.set(name, request);
  }

  removeUser(name: string): Promise<RemoveUserResult> {
    return this.#o.userDesk.remove(name);
  }

  card(name: string): Promise<UserCard> {
    return this.#o.userDesk.card(name);
  }

  rotate(name: string): Promise<UserCard> {
    return this.#o.userDesk.rotate(name);
  }

  async journal({ since, after, limit }: JournalRequest): Promise<Iterable<JournalView>> {
    const events = await this.#o.store.readJournal({
      ...(since === undefined ? {} : { since: parseMoment(since, this.#o.clock) }),
      ...(after === undefined ? {} : { afterSeq: after }),
      limit: limit ?? 10_000,
    });
    return lazily(events, viewEvent);
  }

  followJournal(listener: (event: JournalView) => void): () => void {
    return this.#o.recorder.follow((event) => listener(viewEvent(event)));
  }

  async firewall(): Promise<FirewallView> {
    const { guard, config, clock } = this.#o;
    const { revertsAt } = guard;
    return {
      state: guard.mode,
      policy: config.firewall.policy,
      driver: config.firewall.driver,
      on_expiry: config.firewall.onExpiry,
      reverts_at: revertsAt === undefined ? null : toIso(wallTime(clock, revertsAt)),
      reverts_in_s: revertsAt === undefined ? null : Math.max(0, inSeconds(between(clock.monotonic(), revertsAt))),
      detail: guard.detail,
      guarded: config.firewall.guard.map((service) => ({
        service,
        ports: (config.services.get(service) ?? []).map(formatPortRange),
      })),
      pool: formatPortSpan(config.knock.pool),
    };
  }

  async confirmFirewall(): Promise<FirewallView> {
    await this.#o.guard.confirm();
    return await this.firewall();
  }

  async rollbackFirewall(): Promise<FirewallView> {
    await this.#o.guard.rollback();
    return await this.firewall();
  }

  async applyFirewall(): Promise<FirewallView> {
    await this.#o.guard.apply();
    return await this.firewall();
  }

  /** Whether what was just done is on the disk: where the last write failed, it waits. */
  #isRecorded(): boolean {
    return this.#o.recorder.problem === undefined;
  }

  /** All that is open, by expiry. */
  async #grants() {
    const { ledger, clock } = this.#o;
    if (ledger.size <= LONG) {
      const byExpiry = [...ledger.all()].sort((a, b) => a.expires - b.expires);
      return byExpiry.map((grant) => viewGrant(grant, clock));
    }
    const byExpiry = new MinHeap<Grant>();
    const pace = newPace(clock);
    for (const grant of ledger.all()) {
      byExpiry.push(grant.expires, grant);
      if (pace.isDue) await pace.rest();
    }
    return viewAll(byExpiry, clock);
  }

  #scope(names: readonly string[] | undefined, user: User | null): Scope {
    if (names === undefined && user !== null) return user.services;
    return toScope(names ?? [], this.#o.config.services);
  }

  /** Host names are not tracked by this version, so they are refused rather than resolved once and forgotten. */
  #parseTarget(text: string): Target {
    try {
      return parseTarget(text);
    } catch (error) {
      const looksLikeName = /[a-z]/i.test(text) && !text.includes(':') && !text.includes('/');
      if (looksLikeName && isSallyportError(error, 'SP_ADDRESS_INVALID')) {
        throw new SallyportError('SP_TARGET_NAME', { value: text }, error);
      }
      throw error;
    }
  }

  #find(what: string): Found {
    const { ledger, people, entries, doorkeeper } = this.#o;
    const user = people.find(what);
    if (user !== undefined) {
      const isMeant = (claim: Claim) => claim.user.id === user.id;
      return { grants: ledger.ofUser(user.id), entries: [], isMeant, isKnown: true };
    }
    const isMeant = () => false;
    const id = parseGrantId(what);
    const byId = id === undefined ? undefined : ledger.get(id);
    if (byId !== undefined) return { grants: [byId], entries: [], isMeant, isKnown: true };
    const entry = entries.find(what);
    if (entry !== undefined) return { grants: [], entries: [entry], isMeant, isKnown: true };
    let target: Target;
    try {
      target = parseTarget(what);
    } catch {
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const targets = new Set([target, target.includes('/') ? target : doorkeeper.widen(parseAddress(target))]);
    const grants = [...targets].flatMap((one) => ledger.atTarget(one));
    return {
      grants,
      entries: entries.list().filter((one) => targets.has(one.target)),
      isMeant: ({ address }) => [...targets].some((one) => covers(one, address)),
      isKnown: false,
    };
  }
}

function* viewAll(byExpiry: MinHeap<Grant>, clock: Clock) {
  for (let top = byExpiry.pop(); top !== undefined; top = byExpiry.pop()) yield viewGrant(top.value, clock);
}

function lazily<A, B>(items: readonly A[], change: (item: A) => B): Iterable<B> {
  return items.length <= LONG ? items.map(change) : changeEach(items, change);
}

function* changeEach<A, B>(items: readonly A[], change: (item: A) => B): Generator<B> {
  for (const item of items) yield change(item);
}
