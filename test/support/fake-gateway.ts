import type {
  ClaimView,
  EntryView,
  FirewallView,
  GatewayApi,
  GrantView,
  JournalView,
  PlanView,
  ProviderDetails,
  ProviderView,
  StatusView,
  UserCard,
  UserView,
} from '../../src/control/contract/gateway.ts';
import { SallyportError } from '../../src/core/errors.ts';

const AT = '2026-03-01T08:00:00.000Z';

export function grantView(changes: Partial<GrantView> = {}): GrantView {
  return {
    id: 'G7M3K2QX',
    address: '203.0.113.7',
    user: 'alice',
    services: ['ssh'],
    method: 'knock',
    opened_at: AT,
    expires_at: '2026-03-01T09:00:00.000Z',
    remaining_s: 3552,
    ttl_s: 3600,
    note: null,
    ...changes,
  };
}

/** Something that is let in, as a list shows it. */
export const listed = <View extends object>(view: View) => ({ ...view, last_seen: null as string | null });

export function claimView(changes: Partial<ClaimView> = {}): ClaimView {
  return {
    address: '203.0.113.9',
    user: 'alice',
    method: 'knock',
    waits_for: 'call',
    expires_at: AT,
    remaining_s: 200,
    ...changes,
  };
}

export function entryView(changes: Partial<EntryView> = {}): EntryView {
  return {
    id: 'E1',
    target: '198.51.100.0/28',
    services: ['all'],
    note: 'head office',
    source: 'operator',
    created_at: AT,
    tracked: null,
    ...changes,
  };
}

export function userView(changes: Partial<UserView> = {}): UserView {
  return {
    name: 'alice',
    services: ['ssh'],
    ttl_s: null,
    max_addresses: 5,
    ports: 3,
    account: null,
    pin_set: false,
    approval: 'none',
    number: null,
    created_at: AT,
    open: 1,
    ...changes,
  };
}

export function cardView(changes: Partial<UserCard> = {}): UserCard {
  return {
    name: 'alice',
    sequence: [
      { protocol: 'tcp', port: 21234 },
      { protocol: 'udp', port: 28111 },
      { protocol: 'tcp', port: 24711 },
    ],
    services: ['ssh'],
    ttl_s: 3600,
    approval: 'none',
    host: 'gw.example.org',
    wait: 'tcp/22',
    call: null,
    ...changes,
  };
}

export function journalView(changes: Partial<JournalView> = {}): JournalView {
  return {
    seq: 1,
    at: AT,
    event: 'grant.opened',
    user: 'alice',
    address: '203.0.113.7',
    method: 'knock',
    services: ['ssh'],
    grant: 'G7M3K2QX',
    detail: null,
    ...changes,
  };
}

export function firewallView(changes: Partial<FirewallView> = {}): FirewallView {
  return {
    state: 'guarding',
    policy: 'guard',
    driver: 'nftables',
    on_expiry: 'cut',
    reverts_at: null,
    reverts_in_s: null,
    reverts_to: null,
    detail: null,
    guarded: [{ service: 'ssh', ports: ['tcp/22'] }],
    pool: '21000-29999',
    unsaved: null,
    ...changes,
  };
}

export function planView(changes: Partial<PlanView> = {}): PlanView {
  return {
    state: 'guarding',
    changes: [{ effect: 'closes', text: 'web (tcp/443) is closed to strangers' }],
    cuts: [],
    last_way_in: false,
    in_use: [],
    restart: [],
    ...changes,
  };
}

export function statusView(changes: Partial<StatusView> = {}): StatusView {
  return {
    ready: true,
    version: '0.1.0',
    started_at: AT,
    grants: [grantView()],
    entries: 1,
    users: 1,
    parts: {
      firewall: { state: 'guarding' },
      knock: { state: 'listening' },
      store: { state: 'ok' },
      daemon: { state: 'running', rss_mb: 120, loop_max_ms: 3 },
    },
    claims: [],
    strikes: { limit: 20, per_s: 60, ignore_s: 600, ignored_count: 0, ignored: [] },
    notices: [],
    ...changes,
  };
}

export function providerView(changes: Partial<ProviderView> = {}): ProviderView {
  return {
    name: 'voip.ms',
    title: 'VoIP.ms',
    source: 'shipped',
    status: 'enabled',
    by: 'command',
    names: 1,
    networks: 1,
    addresses: 1,
    problems: [],
    ...changes,
  };
}

export function providerDetails(changes: Partial<ProviderDetails> = {}): ProviderDetails {
  return {
    ...providerView(),
    hosts: [
      {
        host: 'atlanta.voip.ms',
        services: ['IAX', 'RTP', 'SIP'],
        tracked: { state: 'ok', addresses: ['198.51.100.9'], resolved_at: AT, next_at: AT, detail: null },
      },
      { host: '198.51.100.32/27', services: ['RTP'], tracked: null },
    ],
    ports: [
      { service: 'SIP', ports: ['udp/5060'] },
      { service: 'IAX', ports: [] },
    ],
    retired: null,
    ...changes,
  };
}

/** A gateway of canned answers. It notes what it was asked, and any answer can be replaced. */
export class FakeGateway implements GatewayApi {
  readonly asked: unknown[][] = [];
  readonly followers = new Set<(event: JournalView) => void>();
  events: JournalView[] = [journalView()];

  answer(name: keyof GatewayApi, reply: (...args: never[]) => unknown): this {
    Object.assign(this, {
      [name]: async (...args: never[]) => {
        this.asked.push([name, ...args]);
        return reply(...args);
      },
    });
    return this;
  }

  tell(event: JournalView): void {
    for (const listener of this.followers) listener(event);
  }

  #note<T>(value: T, ...call: unknown[]): Promise<T> {
    this.asked.push(call);
    return Promise.resolve(value);
  }

  status: GatewayApi['status'] = () => this.#note(statusView(), 'status');
  list: GatewayApi['list'] = () =>
    this.#note(
      {
        entries: [listed(entryView())],
        grants: [listed(grantView())],
      },
      'list',
    );
  whois: GatewayApi['whois'] = (address) =>
    this.#note(
      { address, grants: [grantView({ address })], entries: [], allowed: ['ssh'], last_seen: null, ignored: [] },
      'whois',
      address,
    );
  allow: GatewayApi['allow'] = (request) =>
    this.#note(
      request.for === undefined
        ? { grant: null, entry: entryView({ target: request.target }), listened_to: [], recorded: true }
        : {
            grant: grantView({ address: request.target, method: 'cli', user: null }),
            entry: null,
            listened_to: [],
            recorded: true,
          },
      'allow',
      request,
    );
  addEntries: GatewayApi['addEntries'] = (request) =>
    this.#note({ added: request.entries.length, present: 0 }, 'addEntries', request);
  revoke: GatewayApi['revoke'] = (request) =>
    this.#note({ revoked: [grantView()], removed: [], dropped: [claimView()], recorded: true }, 'revoke', request);
  users: GatewayApi['users'] = () => this.#note([userView()], 'users');
  user: GatewayApi['user'] = async (name) => {
    if (name !== 'alice') throw new SallyportError('SP_NOT_FOUND', { what: name });
    return this.#note(userView(), 'user', name);
  };
  addUser: GatewayApi['addUser'] = (request) => this.#note(cardView({ name: request.name }), 'addUser', request);
  setUser: GatewayApi['setUser'] = (name, request) => this.#note(userView({ name }), 'setUser', name, request);
  removeUser: GatewayApi['removeUser'] = (name) =>
    this.#note({ removed: userView({ name }), revoked: [grantView()] }, 'removeUser', name);
  card: GatewayApi['card'] = (name) => this.#note(cardView({ name }), 'card', name);
  rotate: GatewayApi['rotate'] = (name) => this.#note(cardView({ name }), 'rotate', name);
  providers: GatewayApi['providers'] = () => this.#note([providerView()], 'providers');
  provider: GatewayApi['provider'] = (name) => this.#note(providerDetails({ name }), 'provider', name);
  enableProvider: GatewayApi['enableProvider'] = (name) =>
    this.#note(providerDetails({ name }), 'enableProvider', name);
  disableProvider: GatewayApi['disableProvider'] = (name) =>
    this.#note(providerView({ name, status: 'off', by: null }), 'disableProvider', name);
  journal: GatewayApi['journal'] = (query) => this.#note([...this.events], 'journal', query);
  followJournal: GatewayApi['followJournal'] = (listener) => {
    this.followers.add(listener);
    return () => this.followers.delete(listener);
  };
  firewall: GatewayApi['firewall'] = () => this.#note(firewallView(), 'firewall');
  confirmFirewall: GatewayApi['confirmFirewall'] = () => this.#note(firewallView(), 'confirmFirewall');
  rollbackFirewall: GatewayApi['rollbackFirewall'] = () =>
    this.#note(firewallView({ state: 'open', detail: 'rolled back' }), 'rollbackFirewall');
  applyFirewall: GatewayApi['applyFirewall'] = (request) =>
    this.#note(
      firewallView({ state: 'provisional', reverts_in_s: 300 }),
      'applyFirewall',
      ...(Object.keys(request).length > 0 ? [request] : []),
    );
  planFirewall: GatewayApi['planFirewall'] = (request) => this.#note(planView(), 'planFirewall', request);
}
