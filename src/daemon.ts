import { randomInt } from 'node:crypto';
import { schedule } from 'node-cron';
import type { Logger } from 'pino';
import type { Config } from './config/config.js';
import { notices } from './config/notices.js';
import { poolProblems } from './config/pool.js';
import { ControlServer } from './control/server.js';
import type { Entry } from './core/entry.js';
import { isSallyportError, SallyportError } from './core/errors.js';
import type { Firewall, GuardContents, GuardLayout, GuardState } from './core/firewall.js';
import { HeldTargets } from './core/grants/held.js';
import { GrantLedger } from './core/grants/ledger.js';
import { endOf, restoreGrants } from './core/grants/restore.js';
import { type PortSpan, parsePortSpan } from './core/ports.js';
import type { Change, StoredState } from './core/store.js';
import { hours, type Instant } from './core/time.js';
import { NftablesFirewall } from './firewall/nftables-firewall.js';
import { Doorkeeper } from './gate/doorkeeper.js';
import { Entries } from './gate/entries.js';
import { Gateway } from './gate/gateway.js';
import { Guard } from './gate/guard.js';
import { Heartbeat } from './gate/heartbeat.js';
import { People } from './gate/people.js';
import { Recorder } from './gate/recorder.js';
import { UserDesk } from './gate/user-desk.js';
import { bootId, localPortRange, ownAddresses } from './host/addresses.js';
import { SystemClock } from './host/clock.js';
import { ServiceManager } from './host/notify.js';
import { sshPeers } from './host/ssh-peers.js';
import { KernelKnockSource } from './knock/kernel-source.js';
import { NetlinkListener } from './netlink/listener.js';
import { NftablesLink } from './netlink/nftables-link.js';
import { SqliteStore } from './store/sqlite-store.js';
import { VERSION } from './version.js';

/** Grants that ended so long ago may still be held (core/grants/held.ts). */
const HELD_FOR = hours(26);
/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');
/** How often the kernel is looked at where it cannot tell us of changes, in milliseconds. */
const LOOK_MS = 1500;

/** The shape of the guard that a configuration asks for on this host. */
export function guardLayout(config: Config, localPorts: PortSpan): GuardLayout {
  return {
    guarded: new Map(config.firewall.guard.map((name) => [name, config.services.get(name) ?? []])),
    onExpiry: config.firewall.onExpiry,
    pool: config.knock.pool,
    window: config.knock.window,
    nflogGroup: config.knock.nflogGroup,
    maxTtl: config.grants.maxTtl,
    ipv6Prefix: config.grants.ipv6Prefix,
    trustedInterfaces: config.trusted.interfaces,
    localPorts,
  };
}

/** The range of the host's own outgoing ports; the pool must be clear of it. @throws SP_POOL_OVERLAP */
export async function checkedLocalPorts(config: Config): Promise<PortSpan> {
  const localPorts = (await localPortRange()) ?? USUAL_LOCAL_PORTS;
  const [problem] = poolProblems(config.knock.pool, localPorts);
  if (problem !== undefined) throw new SallyportError('SP_POOL_OVERLAP', { problem });
  return localPorts;
}

/** The entries that the configuration makes. */
export function configuredEntries(config: Config): Entry[] {
  return config.trusted.addresses.map(({ target, services, note }, index) => ({
    id: `config-${index + 1}`,
    target,
    services,
    note,
    source: 'config',
    createdAt: 0 as Instant,
  }));
}

/**
 * The gateway as a whole: puts the parts together, starts them in the order in which they need each other, and stops
 * them in the reverse order.
 */
export class Daemon {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #clock = new SystemClock();
  readonly #manager = new ServiceManager();
  readonly #stops: (() => Promise<void> | void)[] = [];
  readonly #onFailed: (error: Error) => void;
  #guard: Guard | undefined;

  /** @param onFailed told when a part dies that the gateway cannot do without */
  constructor(options: { config: Config; log: Logger; onFailed: (error: Error) => void }) {
    this.#config = options.config;
    this.#log = options.log;
    this.#onFailed = options.onFailed;
  }

  /** Resolves when knocks are answered. What was started before a failure is stopped again. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.#unwind();
      throw error;
    }
  }

  /**
   * Stops everything within a bound. A guard that was never confirmed is taken down; a confirmed one stays, and the
   * grants run out in the kernel.
   * @returns whether the guard was left up
   */
  async stop(): Promise<boolean> {
    this.#manager.tell('STOPPING=1');
    const isProvisional = this.#guard?.isProvisional ?? false;
    const mode = this.#guard?.mode;
    if (isProvisional)
      await this.#guard
        ?.takeDown()
        .catch((error) => this.#log.error({ err: error }, 'the guard could not be taken down'));
    await this.#unwind();
    return mode === 'guarding' || mode === 'failed';
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const clock = this.#clock;
    const startedAt = clock.now();
    const layout = guardLayout(config, await checkedLocalPorts(config));
    await this.#manager.start();

    const store = new SqliteStore({ directory: config.state.directory, onFailed: this.#onFailed });
    await store.open();
    this.#onStop(() => store.close());
    const recorder = new Recorder({ store, log: this.#log });
    this.#onStop(() => recorder.stop());
    const state = await store.load((clock.now() - HELD_FOR) as Instant);

    const link = await this.#openLink();
    let listener: NetlinkListener | null = null;
    const firewall = new NftablesFirewall({
      layout,
      clock,
      directory: config.state.directory,
      link,
      onStarted: (pid) => listener?.expectProcess(pid),
    });
    const source = new KernelKnockSource({
      readMailbox: () => firewall.readMailbox(),
      hasDoorbell: link !== null,
      onProblem: (error) => this.#log.error({ err: error }, 'the mailbox of knocks cannot be read; trying again'),
    });
    listener = link === null ? null : await this.#listen(link, source);

    const people = new People({
      services: config.services,
      pool: config.knock.pool,
      maxTtl: config.grants.maxTtl,
      random: randomInt,
      clock,
      users: state.users,
      lastId: Number(state.meta.last_id ?? 0),
    });
    const entries = new Entries({
      recorder,
      clock,
      stored: state.entries,
      configured: configuredEntries(config),
      setRanges: () => guard.setRanges(doorkeeper.ranges()),
    });
    const ledger = new GrantLedger({ clock, random: randomInt, maxTtl: config.grants.maxTtl });
    const held = new HeldTargets();
    const steps = () => people.steps();
    const guard: Guard = new Guard({
      firewall,
      recorder,
      clock,
      log: this.#log,
      contents: (): GuardContents => ({ steps: steps(), elements: doorkeeper.elements(), ranges: doorkeeper.ranges() }),
      steps,
      isConfirmed: state.meta.confirmed === 'yes',
      firstProvision: config.firewall.provisional,
    });
    this.#guard = guard;
    const doorkeeper: Doorkeeper = new Doorkeeper({
      ledger,
      held,
      people,
      recorder,
      door: guard,
      clock,
      log: this.#log,
      defaultTtl: config.grants.ttl,
      ipv6Prefix: config.grants.ipv6Prefix,
      entries: () => entries.list(),
      ownAddresses: cached(ownAddresses, 5000, clock),
    });

    const found = await firewall.inspect();
    await this.#restore(found, state, { firewall, ledger, held, doorkeeper, recorder });
    if (state.meta.confirmed !== 'yes') await this.#letPeersIn(entries);
    await guard.start(found);
    this.#onStop(() => guard.stop());
    doorkeeper.start();
    this.#onStop(() => doorkeeper.stop());
    this.#watch(guard, link === null);

    await source.start((knocks) => {
      doorkeeper.knocks(knocks).catch((error) => this.#log.error({ err: error }, 'knocks could not be answered'));
    });
    this.#onStop(() => source.stop());
    this.#listenerRepairs = (culprit) => void guard.repair(culprit);

    const heartbeat = new Heartbeat({
      recorder,
      clock,
      ledger,
      doorkeeper,
      log: this.#log,
      boot: (await bootId()) ?? '',
    });
    await heartbeat.start();
    this.#onStop(() => heartbeat.stop());
    const pruning = schedule('17 3 * * *', () => {
      const before = (clock.now() - config.journal.keep) as Instant;
      store.prune(before).then(
        (events) => this.#log.info({ events }, 'old events were dropped from the journal'),
        (error) => this.#log.error({ err: error }, 'the journal could not be pruned'),
      );
    });
    this.#onStop(async () => void (await pruning.destroy()));

    const remarks = notices(config);
    for (const remark of remarks) this.#log.warn({}, remark);
    const gateway = new Gateway({
      config,
      notices: remarks,
      version: VERSION,
      startedAt,
      clock,
      ledger,
      people,
      userDesk: new UserDesk({ config, clock, people, ledger, doorkeeper, guard, recorder }),
      entries,
      doorkeeper,
      guard,
      recorder,
      store,
      knockHealth: () => source.health(),
    });
    const control = new ControlServer({ socket: config.control.socket, gateway, version: VERSION, log: this.#log });
    await control.start();
    this.#onStop(() => control.stop());
    gateway.ready();
    void recorder.tell({ at: clock.now(), event: 'daemon.started', detail: `version ${VERSION}` });
    this.#onStop(() => void recorder.tell({ at: clock.now(), event: 'daemon.stopped' }));
    this.#beat();
    this.#manager.tell('READY=1');
    this.#log.info(
      { guard: guard.mode, grants: ledger.size, users: people.list().length, socket: config.control.socket },
      'ready',
    );
  }

  #listenerRepairs: (culprit: { pid: number | null; program: string | null }) => void = () => undefined;

  async #openLink(): Promise<NftablesLink | null> {
    try {
      const link = await NftablesLink.open({ table: 'sallyport' });
      this.#onStop(() => link.close());
      return link;
    } catch (error) {
      if (!isSallyportError(error, 'SP_NETLINK_UNAVAILABLE')) throw error;
      this.#log.warn({ err: error }, 'netlink cannot be used; going on through the nft program, more slowly');
      return null;
    }
  }

  async #listen(link: NftablesLink, source: KernelKnockSource): Promise<NetlinkListener> {
    const options = { group: this.#config.knock.nflogGroup, table: 'sallyport', ownPortIds: [link.portId] };
    const listener = new NetlinkListener(options, {
      onPackets: (packets) => source.ring(packets),
      onTableChanged: (change) => this.#listenerRepairs(change),
      onOverrun: (which) => {
        if (which === 'nflog') void source.collect();
        else this.#listenerRepairs({ pid: null, program: null });
      },
      onFailed: this.#onFailed,
    });
    await listener.start();
    this.#onStop(() => listener.stop());
    return listener;
  }

  /** Brings store, kernel and clocks together before anything is written to the kernel. */
  async #restore(
    found: GuardState,
    state: StoredState,
    parts: { firewall: Firewall; ledger: GrantLedger; held: HeldTargets; doorkeeper: Doorkeeper; recorder: Recorder },
  ): Promise<void> {
    const { firewall, ledger, held, doorkeeper, recorder } = parts;
    const hasElements = found.table === 'intact' || found.table === 'foreign';
    const elements = hasElements ? await firewall.readElements().catch(() => null) : null;
    const lastAlive = state.meta.last_alive === undefined ? null : (Number(state.meta.last_alive) as Instant);
    const restored = restoreGrants(
      {
        records: state.grants,
        elements,
        isSameBoot: state.meta.boot_id !== undefined && state.meta.boot_id === (await bootId()),
        lastAlive,
        users: new Map(state.users.map((user) => [user.id, user])),
        maxTtl: this.#config.grants.maxTtl,
      },
      this.#clock,
    );
    for (const record of state.grants) held.hold(record.grant.target, endOf(record, this.#clock));
    held.prune(this.#clock.monotonic());
    const changes: Change[] = [];
    for (const grant of restored.live) {
      ledger.restore(grant);
      held.hold(grant.target, grant.expires);
      changes.push(doorkeeper.putChange(grant));
    }
    for (const { target: address, user, services, method, id, openedAt } of restored.adopted) {
      const event = {
        at: openedAt,
        event: 'grant.opened',
        user: user?.name ?? null,
        address,
        services,
        method,
        grant: id,
      } as const;
      changes.push({ kind: 'journal', event: { ...event, detail: 'found in the kernel after a crash' } });
    }
    for (const { id, grant, at } of restored.ended) {
      const { target: address, user, services, method } = grant;
      changes.push({ kind: 'grant.end', id, at, reason: 'expired' });
      const event = {
        at,
        event: 'grant.expired',
        user: user?.name ?? null,
        address,
        services,
        method,
        grant: id,
      } as const;
      changes.push({ kind: 'journal', event: { ...event, detail: 'while the gateway was not running' } });
    }
    if (changes.length > 0) void recorder.record(changes);
    if (restored.live.length > 0) {
      this.#log.info({ grants: restored.live.length, adopted: restored.adopted.length }, 'grants restored');
    }
  }

  /** Whoever is logged in over SSH when the guard first goes up stays in until removed. */
  async #letPeersIn(entries: Entries): Promise<void> {
    for (const { address, user, how } of await sshPeers()) {
      const note = `SSH session${user === null ? '' : ` of ${user}`} when the guard went up (${how})`;
      const isIn = entries.list().some(({ target }) => target === address);
      if (isIn) continue;
      await entries.add({ target: address, services: ['all' as Entry['services'][number]], note, source: 'setup' });
      this.#log.info({ address }, `let in for good, until removed: ${note}`);
    }
  }

  /** Looks at the kernel regularly where it cannot tell us of changes. */
  #watch(guard: Guard, isBlind: boolean): void {
    if (!isBlind) return;
    const timer = setInterval(() => void guard.repairQuietly(), LOOK_MS);
    timer.unref();
    this.#onStop(() => clearInterval(timer));
  }

  #beat(): void {
    const every = this.#manager.watchdogEvery;
    if (every === undefined) return;
    const timer = setInterval(() => this.#manager.tell('WATCHDOG=1'), every);
    timer.unref();
    this.#onStop(() => clearInterval(timer));
  }

  #onStop(stop: () => Promise<void> | void): void {
    this.#stops.push(stop);
  }

  async #unwind(): Promise<void> {
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ err: error }, 'a part did not stop as it should');
      }
    }
  }
}

/** Asks again only after some milliseconds. */
function cached<T>(read: () => T, ms: number, clock: SystemClock): () => T {
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
