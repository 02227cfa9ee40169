import { schedule } from 'node-cron';
import type { Logger } from 'pino';
import { loadCatalogue } from './config/catalogue.js';
import type { Config } from './config/config.js';
import { notices } from './config/notices.js';
import { RESCUE_WITHIN } from './core/boots.js';
import { HELD_FOR } from './core/grants/held.js';
import type { Duration, Instant } from './core/time.js';
import type { Entries } from './gate/entries.js';
import { Gateway } from './gate/gateway.js';
import type { Guard } from './gate/guard/guard.js';
import type { Culprit } from './gate/guard/repair-rounds.js';
import { Heartbeat } from './gate/heartbeat.js';
import { LastSeen } from './gate/last-seen.js';
import { LockoutWatch } from './gate/lockout-watch.js';
import { Recorder } from './gate/recorder.js';
import { recover } from './gate/recovery.js';
import { TunnelWatch } from './gate/tunnel-watch.js';
import { UserDesk } from './gate/user-desk.js';
import { assembleGate } from './gate-assembly.js';
import { bootId } from './host/addresses.js';
import { SystemClock } from './host/clock.js';
import { LoopWatch } from './host/loop.js';
import { ServiceManager } from './host/notify.js';
import { sshAccess } from './host/ssh-access.js';
import { sshPeers } from './host/ssh-peers.js';
import { trustedLinks } from './host/trusted-links.js';
import { checkPool, guardOf, guardRules, withTunnelsNow } from './layout.js';
import { openGuard } from './opening.js';
import { noteThisBoot } from './rescue.js';
import { setupEntry } from './setup-entries.js';
import { openSources } from './sources.js';
import { SqliteStore } from './store/sqlite-store.js';
import { Teardown } from './teardown.js';
import { phonelessNotice, unheardNotice } from './unheard.js';
import { VERSION } from './version.js';

/** How often the kernel is looked at where it cannot tell us of changes, in milliseconds. */
const LOOK_MS = 1500;
/** How often WireGuard is asked where it listens, in milliseconds. */
const TUNNELS_MS = 5000;

/**
 * The gateway as a whole: puts the parts together, starts them in the order in which they need each other, and stops
 * them in the reverse order.
 */
export class Daemon {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #clock = new SystemClock();
  readonly #manager = new ServiceManager();
  readonly #teardown: Teardown;
  readonly #onFailed: (error: Error) => void;
  readonly #reread: () => Promise<Config>;
  #guard: Guard | undefined;
  /** Who changed our table while the guard was going up. */
  #changedEarly: Culprit | null | undefined;

  /**
   * @param options.reread the configuration as it is written now
   * @param options.onFailed told when a part dies that the gateway cannot do without
   */
  constructor(options: {
    config: Config;
    log: Logger;
    reread: () => Promise<Config>;
    onFailed: (error: Error) => void;
  }) {
    this.#config = options.config;
    this.#log = options.log;
    this.#teardown = new Teardown(options.log);
    this.#onFailed = options.onFailed;
    this.#reread = options.reread;
  }

  /** Resolves when knocks are answered. What was started before a failure is stopped again. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.#teardown.run();
      throw error;
    }
  }

  /**
   * Stops everything within a bound. A guard that was never confirmed is taken down, a change of one gives way to the
   * previous rules; a confirmed one stays, and the grants run out in the kernel.
   * @returns whether the guard was left up
   */
  async stop(): Promise<boolean> {
    this.#manager.tell('STOPPING=1');
    const isProvisional = this.#guard?.isProvisional ?? false;
    if (isProvisional)
      await this.#guard
        ?.takeDown()
        .catch((error) => this.#log.error({ err: error }, 'the guard could not be taken down'));
    const mode = this.#guard?.mode;
    await this.#teardown.run();
    return mode === 'guarding' || mode === 'failed';
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const clock = this.#clock;
    const startedAt = clock.now();
    const [configured, catalogue] = await Promise.all([guardOf(config), loadCatalogue(config.providers)]);
    const { layout } = configured;
    checkPool(layout);
    await this.#manager.start();
    // Loads while the threads of the store and of netlink come up.
    const loading = import('./control/server.js');
    loading.catch(() => undefined);
    const loop = new LoopWatch();
    this.#teardown.add(() => loop.stop());

    const store = new SqliteStore({ directory: config.state.directory, onFailed: this.#onFailed });
    await store.open();
    this.#teardown.add(() => store.close());
    const recorder = new Recorder({ store, log: this.#log });
    this.#teardown.add(() => recorder.stop());

    const sources = await openSources({
      config,
      layout,
      clock,
      log: this.#log,
      strikesTold: () => strikes.recorded(),
      onTableChanged: (culprit) => this.#tableChanged(culprit),
      onFailed: this.#onFailed,
    });
    this.#teardown.add(() => sources.stop());
    const { firewall, source } = sources;

    const state = await store.load((clock.now() - HELD_FOR) as Instant);
    const { found, book, isDeclined } = await openGuard({
      ...{ configured, state, firewall, recorder, clock },
      directory: config.state.directory,
    });
    let isListening = false;
    const gate = await assembleGate({
      ...{ config, catalogue, book, clock, store, recorder, state, firewall, source, isDeclined },
      onShaped: () => {
        if (isListening) sources.orderAnew(people.list());
      },
      log: this.#log,
    });
    const { strikes, people, entries, names, claims, claimDesk, ledger, held, guard, doorkeeper } = gate;

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
    await guard.start(found, recovered, await this.#noteBoot());
    this.#guard = guard;
    if (this.#changedEarly !== undefined) void guard.repair(this.#changedEarly);
    this.#teardown.add(() => guard.stop());
    const tunnels = new TunnelWatch({ guard, book, now: (rules) => withTunnelsNow(rules, config), log: this.#log });
    this.#teardown.every(TUNNELS_MS, () => void tunnels.look());
    doorkeeper.start();
    this.#teardown.add(() => doorkeeper.stop());
    await names.start();
    this.#teardown.add(() => names.stop());
    if (sources.isBlind) this.#teardown.every(LOOK_MS, () => void guard.repairQuietly());

    await source.start({
      onKnocks: (knocks) =>
        doorkeeper.knocks(knocks).catch((error) => this.#log.error({ err: error }, 'knocks could not be answered')),
      onStruck: (sources) => strikes.struck(sources),
    });
    this.#teardown.add(() => strikes.stop());
    this.#teardown.add(() => source.stop());

    // Only now: what is opened early is told to the source, which drops it before its start.
    people.watch(sources.order);
    isListening = true;

    const telephone = config.phone.configured
      ? new (await import('./telephone.js')).Telephone({
          ...{ config, claimDesk, people, ledger, doorkeeper, claims, recorder, clock },
          log: this.#log,
        })
      : null;
    telephone?.start();
    this.#teardown.add(() => telephone?.stop());

    const heartbeat = new Heartbeat({
      recorder,
      clock,
      ledger,
      doorkeeper,
      log: this.#log,
      boot: boot ?? '',
    });
    await heartbeat.start();
    this.#teardown.add(() => heartbeat.stop());
    const pruning = schedule('17 3 * * *', () => {
      const before = (clock.now() - config.journal.keep) as Instant;
      store.prune(before).then(
        (events) => this.#log.info({ events }, 'old events were dropped from the journal'),
        (error) => this.#log.error({ err: error }, 'the journal could not be pruned'),
      );
    });
    this.#teardown.add(async () => void (await pruning.destroy()));

    const remarks = [
      ...notices(config),
      ...unheardNotice(config, state.users),
      ...phonelessNotice(config, state.users),
    ];
    for (const remark of [...remarks, ...gate.providers.notices()]) this.#log.warn({}, remark);
    const gateway = new Gateway({
      ...gate,
      ...{ config, book, clock, recorder, store, startedAt },
      watch: new LockoutWatch({ ...gate, book, given: (rules) => gate.providers.given(rules), ssh: sshAccess() }),
      reread: this.#reread,
      rulesOf: (file) => guardRules(file, config),
      notices: remarks,
      version: VERSION,
      userDesk: new UserDesk({
        ...gate,
        ...{ config, book, clock, recorder },
        onNewPin: (user) => telephone?.forgive(user),
      }),
      phoneHealth: () => telephone?.health() ?? null,
      knockHealth: () => source.health(),
      trustedLinks: async () => {
        const { trustedInterfaces } = book.current;
        return trustedInterfaces.length === 0 ? undefined : await trustedLinks(trustedInterfaces);
      },
      lastSeen: (targets) => LastSeen.read({ firewall, clock, log: this.#log }, targets),
      vitals: () => ({ rss: process.memoryUsage.rss(), longestHold: loop.longest }),
    });
    const { ControlServer } = await loading;
    const control = new ControlServer({ socket: config.control.socket, gateway, version: VERSION, log: this.#log });
    await control.start();
    this.#teardown.add(() => control.stop());
    gateway.ready();
    loop.start();
    void recorder.tell({ at: clock.now(), event: 'daemon.started', detail: `version ${VERSION}` });
    this.#teardown.add(() => void recorder.tell({ at: clock.now(), event: 'daemon.stopped' }));
    const beat = this.#manager.watchdogEvery;
    if (beat !== undefined) this.#teardown.every(beat, () => this.#manager.tell('WATCHDOG=1'));
    this.#manager.tell('READY=1');
    this.#log.info(
      { guard: guard.mode, grants: ledger.size, users: people.size, socket: config.control.socket },
      'ready',
    );
  }

  /** @returns for how long the guard should wait, where the machine was started often lately */
  async #noteBoot(): Promise<Duration | undefined> {
    const { firewall, state } = this.#config;
    if (!firewall.rescue) return undefined;
    const onUnsaved = (error: unknown) => this.#log.warn({ err: error }, 'this start could not be noted');
    const note = () => noteThisBoot({ directory: state.directory, clock: this.#clock, onUnsaved });
    // The machine has run for long then: its starts are forgotten.
    const forgetting = setTimeout(() => void note(), RESCUE_WITHIN).unref();
    this.#teardown.add(() => clearTimeout(forgetting));
    return await note();
  }

  #tableChanged(culprit: Culprit | null): void {
    if (this.#guard === undefined) this.#changedEarly = culprit;
    else void this.#guard.repair(culprit);
  }

  /** Whoever is logged in over SSH when the guard first goes up stays in until removed. */
  async #letPeersIn(entries: Entries): Promise<void> {
    for (const peer of await sshPeers()) {
      const entry = setupEntry(peer, 'when the guard went up');
      const isIn = entries.list().some(({ target }) => target === entry.target);
      if (isIn) continue;
      await entries.add(entry);
      this.#log.info({ address: entry.target }, `let in for good, until removed: ${entry.note}`);
    }
  }
}
