import { closedServices } from '../config/closed-services.js';
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
import { type Address, coveringTargets, covers } from '../core/address.js';
import type { Claims } from '../core/claims.js';
import type { Grant } from '../core/grants/grant.js';
import { MinHeap } from '../core/heap.js';
import type { SourceHealth } from '../core/knock/source.js';
import type { PhoneHealth } from '../core/phone/link.js';
import { ALL } from '../core/service.js';
import type { Store } from '../core/store.js';
import { between, type Clock, type Duration, type Instant, toIso } from '../core/time.js';
import type { TrustedLink } from '../core/trusted-link.js';
import { AccessDesk, type AccessDeskOptions } from './access-desk.js';
import { FirewallDesk, type FirewallDeskOptions } from './firewall-desk.js';
import { viewInterfaces } from './interfaces-view.js';
import { parseMoment } from './moment.js';
import { newPace } from './pace.js';
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
  readonly store: Store;
  readonly claims: Claims;
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
      grants: await this.#grants(),
      entries: entries.list().length + names.list().length,
      users: this.#o.people.size,
      parts: {
        firewall: {
          state: guard.mode,
          policy: this.#o.config.firewall.policy,
          ...(guard.detail === null ? {} : { detail: guard.detail }),
          ...(reverts === undefined ? {} : { reverts_in_s: reverts }),
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
      notices: [...this.#o.notices],
    };
  }

  async list(): Promise<LongLists<ListView>> {
    const { entries, names, clock } = this.#o;
    const named = names.list().map((one) => viewName(one, clock));
    return { entries: [...entries.list().map(viewEntry), ...named], grants: await this.#grants() };
  }

  async whois(address: Address): Promise<WhoisView> {
    const { ledger, entries, names, config, clock } = this.#o;
    const grants = coveringTargets(address).flatMap((target) => ledger.atTarget(target));
    const covering = entries.list().filter(({ target }) => covers(target, address));
    const ignored = await this.#o.strikes.ignoredIn(address);
    const named = names.list().filter(({ tracker }) => tracker.addresses.includes(address));
    const open = new Set([...grants, ...covering, ...named.map(({ entry }) => entry)].flatMap((one) => one.services));
    const allowed = closedServices(config).filter((name) => open.has(ALL) || open.has(name));
    return {
      address,
      grants: grants.map((grant) => viewGrant(grant, clock)),
      entries: [...covering.map(viewEntry), ...named.map((one) => viewName(one, clock))],
      allowed,
      ignored: ignored.map((one) => viewIgnored(one, clock)),
    };
  }

  allow(request: AllowRequest): Promise<AllowResult> {
    return this.#access.allow(request);
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

  applyFirewall(): Promise<FirewallView> {
    return this.#firewall.apply();
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
