import { randomInt } from 'node:crypto';
import type { Config } from './config/config.js';
import type { Target } from './core/address.js';
import { Claims } from './core/claims.js';
import type { Firewall } from './core/firewall.js';
import { HeldTargets } from './core/grants/held.js';
import { GrantLedger } from './core/grants/ledger.js';
import type { KnockSource } from './core/knock/source.js';
import { takesTcpReplies } from './core/port-classes.js';
import { inSpan } from './core/ports.js';
import type { Catalogue } from './core/provider.js';
import type { GuardRules } from './core/rules.js';
import type { Store, StoredState } from './core/store.js';
import type { Clock } from './core/time.js';
import { DnsResolver } from './dns/dns-resolver.js';
import { ClaimDesk } from './gate/claim-desk.js';
import { Departures } from './gate/departures.js';
import { Doorkeeper } from './gate/doorkeeper.js';
import { Entries } from './gate/entries.js';
import { DesiredContents } from './gate/guard/desired-contents.js';
import { Guard } from './gate/guard/guard.js';
import type { RuleBook } from './gate/guard/rule-book.js';
import type { Log } from './gate/log.js';
import { NameDesk } from './gate/name-desk.js';
import { People } from './gate/people.js';
import { ProviderDesk } from './gate/provider-desk.js';
import type { Recorder } from './gate/recorder.js';
import { Strikes } from './gate/strikes.js';
import { ownAddresses } from './host/addresses.js';
import { inboundPeers, ownConnections } from './host/listeners.js';
import { heardProtocols } from './layout.js';

export interface GateSurroundings {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly book: RuleBook;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly recorder: Recorder;
  /** What the store holds. */
  readonly state: StoredState;
  readonly firewall: Firewall;
  readonly source: KnockSource;
  /** The configuration asks for other rules, which nobody has confirmed when they were tried. */
  readonly isDeclined: boolean;
  /** Told that the kernel may have sets for other scopes than before. */
  readonly onShaped: () => void;
}

/** The parts of the gate, which know each other. */
export interface Gate {
  readonly strikes: Strikes;
  readonly people: People;
  readonly entries: Entries;
  readonly providers: ProviderDesk;
  readonly names: NameDesk;
  readonly claims: Claims;
  readonly claimDesk: ClaimDesk;
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly guard: Guard;
  readonly doorkeeper: Doorkeeper;
}

/** Puts the parts of the gate together, with the users of the store. Nothing is started. */
export async function assembleGate(surroundings: GateSurroundings): Promise<Gate> {
  const { config, catalogue, book, clock, log, store, recorder, state, firewall, source } = surroundings;
  const { isDeclined, onShaped } = surroundings;
  const { ttl, maxTtl, ipv6Prefix } = config.grants;
  const strikes = new Strikes({ limit: config.knock.strikes, source, recorder, store, clock, log });
  const people = new People({
    services: () => book.current.services,
    pool: config.knock.pool,
    protocols: heardProtocols(config),
    maxTtl,
    random: randomInt,
    clock,
    lastId: Number(state.meta.last_id ?? 0),
  });
  await people.restore(state.users);
  const departures = new Departures(clock, state.meta.departed);
  const whitelist = {
    ...{ recorder, clock, state, departures },
    hold: (targets: readonly Target[]) => doorkeeper.hold(targets),
    setRanges: () => guard.setRanges(),
  };
  const entries = new Entries(whitelist);
  const names = new NameDesk({
    ...whitelist,
    log,
    resolver: new DnsResolver({ servers: config.names.servers }),
    rules: { ...config.names, refusal: (address) => doorkeeper.refusal(address) },
    schedule: config.names.schedule,
  });
  const claims = new Claims({ clock });
  const claimDesk = new ClaimDesk({ claims, recorder, clock, log, hasPhone: config.phone.configured });
  const ledger = new GrantLedger({ clock, random: randomInt, maxTtl });
  const held = new HeldTargets();
  const desired: DesiredContents = new DesiredContents({
    ...{ ledger, held, ipv6Prefix },
    entries: function* () {
      yield* entries.list();
      yield* names.entries();
    },
    fallbackEntries: () => {
      const [addresses, named] = [entries.fallbackList(), names.fallbackEntries()];
      return addresses === null || named === null ? null : [...addresses, ...named];
    },
  });
  const guard: Guard = new Guard({
    firewall,
    recorder,
    clock,
    log,
    desired,
    book,
    steps: () => people.steps(),
    onLoaded: async () => {
      const { layout } = book.shape;
      if (layout.policy === 'lockdown') {
        await firewall.keepConnections(await ownConnections((port) => inSpan(port, layout.localPorts)));
      }
      const peers = await inboundPeers((port) => takesTcpReplies(layout, port));
      await doorkeeper.hold([...peers].map((peer) => doorkeeper.widen(peer)));
    },
    onShaped,
    isDeclined,
    isConfirmed: state.meta.confirmed === 'yes',
    firstProvision: config.firewall.provisional,
  });
  const doorkeeper: Doorkeeper = new Doorkeeper({
    ledger,
    held,
    people,
    recorder,
    door: guard,
    clock,
    log,
    defaultTtl: ttl,
    ipv6Prefix,
    claims: claimDesk,
    clearStrikes: (target) => strikes.clear(target),
    ownAddresses: cached(ownAddresses, 5000, clock),
  });
  const give = (current: GuardRules, fallback: GuardRules | null) => {
    const [now, before] = [providers.given(current), fallback === null ? null : providers.given(fallback)];
    entries.use(now.entries, before?.entries ?? null);
    names.use(now.names, before?.names ?? null);
  };
  const providers = new ProviderDesk({
    ...{ catalogue, state, book, entries, names, recorder, clock },
    onChanged: async () => {
      give(book.current, book.fallback);
      await guard.setRanges();
    },
  });
  book.watch(give);
  return { strikes, people, entries, names, providers, claims, claimDesk, ledger, held, guard, doorkeeper };
}

/** Asks again only after some milliseconds. */
function cached<T>(read: () => T, ms: number, clock: Clock): () => T {
  let value: T | undefined;
  let at = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.monotonic();
    if (value === undefined || now - at > ms) {
      value = read();
      at = now;
    }
    return value;
  };
}
