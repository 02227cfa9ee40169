import type {
  AddEntriesRequest,
  AddEntriesResult,
  AddUserRequest,
  AllowRequest,
  AllowResult,
  ApplyRequest,
  FirewallView,
  GatewayApi,
  JournalRequest,
  JournalView,
  ListView,
  LongLists,
  PlanRequest,
  PlanView,
  ProviderDetails,
  ProviderView,
  RemoveUserResult,
  RevokeRequest,
  RevokeResult,
  SetUserRequest,
  StatusView,
  UserCard,
  UserView,
  WhoisView,
} from '../control/contract/gateway.js';
import { type Address, coveringTargets, covers, type Target } from '../core/address.js';
import type { Claims } from '../core/claims.js';
import type { Entry } from '../core/entry.js';
import type { Grant } from '../core/grants/grant.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { MinHeap } from '../core/heap.js';
import type { SourceHealth } from '../core/knock/source.js';
import type { PhoneHealth } from '../core/phone/link.js';
import { PROVIDER_SCOPES } from '../core/provider.js';
import { ALL, type ServiceName } from '../core/service.js';
import type { Store } from '../core/store.js';
import { between, type Duration, type Instant, toIso } from '../core/time.js';
import type { TrustedLink } from '../core/trusted-link.js';
import { AccessDesk, type AccessDeskOptions } from './access-desk.js';
import { FirewallDesk, type FirewallDeskOptions } from './firewall-desk.js';
import { viewInterfaces } from './interfaces-view.js';
import type { LastSeen } from './last-seen.js';
import { addEntries } from './many-entries.js';
import { parseMoment } from './moment.js';
import { newPace } from './pace.js';
import type { ProviderDesk } from './provider-desk.js';
import type { UserDesk } from './user-desk.js';
import {
  inSeconds,
  viewClaims,
  viewEntry,
  viewEvent,
  viewGrant,
  viewIgnored,
  viewName,
  viewNames,
  viewPhone,
  viewStrikes,
} from './views.js';

export interface GatewayOptions extends AccessDeskOptions, FirewallDeskOptions {
  readonly notices: readonly string[];
  readonly version: string;
  readonly startedAt: Instant;
  readonly userDesk: UserDesk;
  readonly providers: ProviderDesk;
  readonly store: Store;
  readonly claims: Claims;
  /** Asks the kernel when these were last seen. */
  readonly lastSeen: (targets: Iterable<Target>) => Promise<LastSeen>;
  /** Null where there is no telephone. */
  readonly phoneHealth: () => PhoneHealth | null;
  readonly knockHealth: () => SourceHealth;
  /** The trusted interfaces; undefined where there are none, or they cannot be looked at. */
  readonly trustedLinks: () => Promise<readonly TrustedLink[] | undefined>;
  /** How the process fares: the memory it takes, in bytes, and how long its event loop was held lately. */
  readonly vitals: () => { readonly rss: number; readonly longestHold: Duration };
}

/** Longer lists are made item by item while they are written. */
const LONG = 250;

/** What the operator may ask of the running daemon. */
export class Gateway implements GatewayApi {
  readonly #o: GatewayOptions;
  readonly #access: AccessDesk;
  readonly #firewall: FirewallDesk;
  #isReady = false;

  constructor(options: GatewayOptions) {
    this.#o = options;
    this.#access = new AccessDesk(options);
    this.#firewall = new FirewallDesk(options);
  }

  ready(): void {
    this.#isReady = true;
  }

  async status(): Promise<LongLists<StatusView>> {
    const { entries, names, guard, recorder, clock } = this.#o;
    const reverts = guard.revertsAt === undefined ? undefined : inSeconds(between(clock.monotonic(), guard.revertsAt));
    const health = this.#o.knockHealth();
    const problem = recorder.problem;
    const ignored = await this.#o.strikes.ignored().catch(() => null);
    const { rss, longestHold } = this.#o.vitals();
    const phone = this.#o.phoneHealth();
    const links = await this.#o.trustedLinks();
    return {
      ready: this.#isReady,
      version: this.#o.version,
      started_at: toIso(this.#o.startedAt),
      grants: await this.#grants((grant) => viewGrant(grant, clock)),
      entries: entries.list().length + names.list().length,
      users: this.#o.people.size,
      parts: {
        firewall: {
          state: guard.mode,
          policy: this.#o.book.current.policy,
          ...(guard.detail === null ? {} : { detail: guard.detail }),
          ...(reverts === undefined
            ? {}
            : { reverts_in_s: reverts, reverts_to: guard.isChanging ? 'previous' : 'open' }),
          ...(guard.guardsIn === undefined ? {} : { guards_in_s: inSeconds(guard.guardsIn) }),
        },
        knock: { state: health.state, ...(health.detail === null ? {} : { detail: health.detail }) },
        store:
          problem === undefined
            ? { state: 'ok' }
            : { state: 'failing', detail: `${problem}; ${recorder.waiting} records wait` },
        ...(links === undefined ? {} : { interfaces: viewInterfaces(links, clock) }),
        ...(phone === null ? {} : { phone: viewPhone(phone) }),
        ...(names.size === 0 ? {} : { names: viewNames(names) }),
        daemon: { state: 'running', rss_mb: Math.round(rss / 1e6), loop_max_ms: Math.round(longestHold) },
      },
      claims: viewClaims(this.#o.claims.list(), this.#o.people, clock),
      strikes: viewStrikes(this.#o.strikes.limit, ignored, clock),
      notices: [...this.#o.notices, ...this.#o.providers.notices()],
    };
  }

  async list(): Promise<LongLists<ListView>> {
    const { ledger, clock } = this.#o;
    const [entries, names] = [this.#o.entries.list(), this.#o.names.list()];
    const seen = await this.#o.lastSeen(targetsOf(entries, ledger));
    const grants = await this.#grants((grant) => ({ ...viewGrant(grant, clock), last_seen: seen.of(grant.target) }));
    const fixed = entries.map((entry) => ({ ...viewEntry(entry), last_seen: seen.of(entry.target) }));
    const named = names.map((one) => ({ ...viewName(one, clock), last_seen: seen.of(...one.tracker.addresses) }));
    return { entries: [...fixed, ...named], grants };
  }

  async whois(address: Address): Promise<WhoisView> {
    const { ledger, entries, names, book, clock } = this.#o;
    const grants = coveringTargets(address).flatMap((target) => ledger.atTarget(target));
    const covering = entries.list().filter(({ target }) => covers(target, address));
    const ignored = await this.#o.strikes.ignoredIn(address);
    const seen = await this.#o.lastSeen([address]);
    const named = names.list().filter(({ tracker }) => tracker.addresses.includes(address));
    const open = new Set([...grants, ...covering, ...named.map(({ entry }) => entry)].flatMap((one) => one.services));
    const { guarded, services } = book.current;
    const isAllowed = (name: ServiceName) => services.has(name) && (open.has(ALL) || open.has(name));
    const allowed = [...[...guarded.keys()].filter(isAllowed), ...PROVIDER_SCOPES.filter((name) => open.has(name))];
    return {
      address,
      grants: grants.map((grant) => viewGrant(grant, clock)),
      entries: [...covering.map(viewEntry), ...named.map((one) => viewName(one, clock))],
      allowed,
      last_seen: seen.of(address),
      ignored: ignored.map((one) => viewIgnored(one, clock)),
    };
  }

  allow(request: AllowRequest): Promise<AllowResult> {
    return this.#access.allow(request);
  }

  addEntries(request: AddEntriesRequest): Promise<AddEntriesResult> {
    return addEntries(this.#o, request);
  }

  revoke(request: RevokeRequest): Promise<RevokeResult> {
    return this.#access.revoke(request);
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

  async providers(): Promise<ProviderView[]> {
    return this.#o.providers.list();
  }

  async provider(name: string): Promise<ProviderDetails> {
    return this.#o.providers.show(name);
  }

  enableProvider(name: string): Promise<ProviderDetails> {
    return this.#o.providers.enable(name);
  }

  disableProvider(name: string): Promise<ProviderView> {
    return this.#o.providers.disable(name);
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

  firewall(): Promise<FirewallView> {
    return this.#firewall.show();
  }

  confirmFirewall(): Promise<FirewallView> {
    return this.#firewall.confirm();
  }

  rollbackFirewall(): Promise<FirewallView> {
    return this.#firewall.rollback();
  }

  applyFirewall(request: ApplyRequest): Promise<FirewallView> {
    return this.#firewall.apply(request);
  }

  planFirewall({ peers }: PlanRequest): Promise<PlanView> {
    return this.#firewall.plan(peers ?? []);
  }

  /** All that is open, by expiry. */
  async #grants<View>(view: (grant: Grant) => View): Promise<View[] | Iterable<View>> {
    const { ledger, clock } = this.#o;
    if (ledger.size <= LONG) {
      const byExpiry = [...ledger.all()].sort((a, b) => a.expires - b.expires);
      return byExpiry.map(view);
    }
    const byExpiry = new MinHeap<Grant>();
    const pace = newPace(clock);
    for (const grant of ledger.all()) {
      byExpiry.push(grant.expires, grant);
      if (pace.isDue) await pace.rest();
    }
    return viewAll(byExpiry, view);
  }
}

function* targetsOf(entries: readonly Entry[], ledger: GrantLedger): Generator<Target> {
  for (const { target } of entries) yield target;
  yield* ledger.targets();
}

function* viewAll<View>(byExpiry: MinHeap<Grant>, view: (grant: Grant) => View): Generator<View> {
  for (let top = byExpiry.pop(); top !== undefined; top = byExpiry.pop()) yield view(top.value);
}

function lazily<A, B>(items: readonly A[], change: (item: A) => B): Iterable<B> {
  return items.length <= LONG ? items.map(change) : changeEach(items, change);
}

function* changeEach<A, B>(items: readonly A[], change: (item: A) => B): Generator<B> {
  for (const item of items) yield change(item);
}
