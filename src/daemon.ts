import { randomInt } from 'node:crypto';
import { schedule } from 'node-cron';
import type { Logger } from 'pino';
import type { Config } from './config/config.js';
import { notices } from './config/notices.js';
import { Claims } from './core/claims.js';
import { HELD_FOR, HeldTargets } from './core/grants/held.js';
import { GrantLedger } from './core/grants/ledger.js';
import { takesTcpReplies } from './core/port-classes.js';
import { EVERYTHING } from './core/service.js';
import type { Instant } from './core/time.js';
import { ClaimDesk } from './gate/claim-desk.js';
import { DesiredContents } from './gate/desired-contents.js';
import { Doorkeeper } from './gate/doorkeeper.js';
import { Entries } from './gate/entries.js';
import { Gateway } from './gate/gateway.js';
import { Guard } from './gate/guard.js';
import { Heartbeat } from './gate/heartbeat.js';
import { People } from './gate/people.js';
import { Recorder } from './gate/recorder.js';
import { recover } from './gate/recovery.js';
import type { Culprit } from './gate/repair-rounds.js';
import { Strikes } from './gate/strikes.js';
import { UserDesk } from './gate/user-desk.js';
import { bootId, ownAddresses } from './host/addresses.js';
import { SystemClock } from './host/clock.js';
import { keepHeapSmall } from './host/heap.js';
import { inboundPeers } from './host/listeners.js';
import { LoopWatch } from './host/loop.js';
import { ServiceManager } from './host/notify.js';
import { sshPeers } from './host/ssh-peers.js';
import { checkPool, configuredEntries, guardLayout, heardProtocols } from './layout.js';
import { openSources } from './sources.js';
import { SqliteStore } from './store/sqlite-store.js';
import { phonelessNotice, unheardNotice } from './unheard.js';
import { VERSION } from './version.js';

/** How often the kernel is looked at where it cannot tell us of changes, in milliseconds. */
const LOOK_MS = 1500;

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
  /** Who changed our table while the guard was going up. */
  #changedEarly: Culprit | null | undefined;

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
    const layout = await guardLayout(config);
    checkPool(layout);
    await this.#manager.start();
    // Loads while the threads of the store and of netlink come up.
    const loading = import('./control/server.js');
    loading.catch(() => undefined);
    const loop = new LoopWatch();
    this.#onStop(() => loop.stop());

    const store = new SqliteStore({ directory: config.state.directory, onFailed: this.#onFailed });
    await store.open();
    this.#onStop(() => store.close());
    const recorder = new Recorder({ store, log: this.#log });
    this.#onStop(() => recorder.stop());

    const sources = await openSources({
      config,
      layout,
      clock,
      log: this.#log,
      strikesTold: () => strikes.recorded(),
      onTableChanged: (culprit) => this.#tableChanged(culprit),
      onFailed: this.#onFailed,
    });
    this.#onStop(() => sources.stop());
    const { firewall, source } = sources;
    keepHeapSmall();

    const strikes = new Strikes({ limit: config.knock.strikes, source, recorder, store, clock, log: this.#log });
    const [state, found] = await Promise.all([store.load((clock.now() - HELD_FOR) as Instant), firewall.inspect()]);

    const people = new People({
      services: config.services,
      pool: config.knock.pool,
      protocols: heardProtocols(config),
      maxTtl: config.grants.maxTtl,
      random: randomInt,
      clock,
      lastId: Number(state.meta.last_id ?? 0),
    });
    await people.restore(state.users);
    const entries = new Entries({
      recorder,
      clock,
      state,
      configured: configuredEntries(config),
      hold: (targets) => doorkeeper.hold(targets),
      setRanges: () => guard.setRanges(desired.ranges()),
    });
    const claims = new Claims({ clock });
    const claimDesk = new ClaimDesk({ claims, recorder, clock, log: this.#log, hasPhone: config.phone.configured });
    const ledger = new GrantLedger({ clock, random: randomInt, maxTtl: config.grants.maxTtl });
    const held = new HeldTargets();
    const desired = new DesiredContents({
      ledger,
      held,
      ipv6Prefix: config.grants.ipv6Prefix,
      entries: () => entries.list(),
    });
    const guard: Guard = new Guard({
      firewall,
      recorder,
      clock,
      log: this.#log,
      desired,
      steps: () => people.steps(),
      onLoaded: async () => {
        const peers = await inboundPeers((port) => takesTcpReplies(layout, port));
        await doorkeeper.hold([...peers].map((peer) => doorkeeper.widen(peer)));
      },
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
      log: this.#log,
      defaultTtl: config.grants.ttl,
      ipv6Prefix: config.grants.ipv6Prefix,
      desired,
      claims: claimDesk,
      clearStrikes: (target) => strikes.clear(target),
      ownAddresses: cached(ownAddresses, 5000, clock),
    });

    const boot = await bootId();
    const { ipv6Prefix, maxTtl } = config.grants;
    const hasTable = found.table === 'intact' || found.table === 'foreign';
    const recovered = await recover({
      state,
      users: () => new Map(people.list().map((user) => [user.id, user])),
      firewall: hasTable ? firewall : null,
      isBlind: sources.isBlind,
      ipv6Prefix,
      boot,
      maxTtl,
      clock,
      ledger,
      held,
      recorder,
      log: this.#log,
    });
    await entries.start();
    if (state.meta.confirmed !== 'yes' && found.table !== 'none') await this.#letPeersIn(entries);
    if (found.table === 'foreign') await sources.rescue();
    await guard.start(found, recovered);
    this.#guard = guard;
    if (this.#changedEarly !== undefined) void guard.repair(this.#changedEarly);
    this.#onStop(() => guard.stop());
    doorkeeper.start();
    this.#onStop(() => doorkeeper.stop());
    if (sources.isBlind) this.#every(LOOK_MS, () => void guard.repairQuietly());

    await source.start({
      onKnocks: (knocks) =>
        doorkeeper.knocks(knocks).catch((error) => this.#log.error({ err: error }, 'knocks could not be answered')),
      onStruck: (sources) => strikes.struck(sources),
    });
    this.#onStop(() => strikes.stop());
    this.#onStop(() => source.stop());

    // Only now: what is opened early is told to the source, which drops it before its start.
    people.watch(sources.order);

    const telephone = config.phone.configured
      ? new (await import('./telephone.js')).Telephone({
          ...{ config, claimDesk, people, ledger, doorkeeper, claims, recorder, clock },
          log: this.#log,
        })
      : null;
    telephone?.start();
    this.#onStop(() => telephone?.stop());

    const heartbeat = new Heartbeat({
      recorder,
      clock,
      ledger,
      doorkeeper,
      log: this.#log,
      boot: boot ?? '',
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

    const remarks = [
      ...notices(config),
      ...unheardNotice(config, state.users),
      ...phonelessNotice(config, state.users),
    ];
    for (const remark of remarks) this.#log.warn({}, remark);
    const gateway = new Gateway({
      config,
      notices: remarks,
      version: VERSION,
      startedAt,
      clock,
      ledger,
      people,
      userDesk: new UserDesk({
        ...{ config, clock, people, ledger, doorkeeper, guard, recorder },
        onNewPin: (user) => telephone?.forgive(user),
      }),
      claims,
      claimDesk,
      phoneHealth: () => telephone?.health() ?? null,
      entries,
      doorkeeper,
      guard,
      recorder,
      store,
      strikes,
      knockHealth: () => source.health(),
      vitals: () => ({ rss: process.memoryUsage.rss(), longestHold: loop.longest }),
    });
    const { ControlServer } = await loading;
    const control = new ControlServer({ socket: config.control.socket, gateway, version: VERSION, log: this.#log });
    await control.start();
    this.#onStop(() => control.stop());
    gateway.ready();
    loop.start();
    void recorder.tell({ at: clock.now(), event: 'daemon.started', detail: `version ${VERSION}` });
    this.#onStop(() => void recorder.tell({ at: clock.now(), event: 'daemon.stopped' }));
    const beat = this.#manager.watchdogEvery;
    if (beat !== undefined) this.#every(beat, () => this.#manager.tell('WATCHDOG=1'));
    this.#manager.tell('READY=1');
    this.#log.info(
      { guard: guard.mode, grants: ledger.size, users: people.size, socket: config.control.socket },
      'ready',
    );
  }

  #tableChanged(culprit: Culprit | null): void {
    if (this.#guard === undefined) this.#changedEarly = culprit;
    else void this.#guard.repair(culprit);
  }

  /** Whoever is logged in over SSH when the guard first goes up stays in until removed. */
  async #letPeersIn(entries: Entries): Promise<void> {
    for (const { address, user, how } of await sshPeers()) {
      const note = `SSH session${user === null ? '' : ` of ${user}`} when the guard went up (${how})`;
      const isIn = entries.list().some(({ target }) => target === address);
      if (isIn) continue;
      await entries.add({ target: address, services: EVERYTHING, note, source: 'setup' });
      this.#log.info({ address }, `let in for good, until removed: ${note}`);
    }
  }

  #every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms);
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
