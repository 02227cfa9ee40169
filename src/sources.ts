import type { Config } from './config/config.js';
import type { Firewall, GuardLayout } from './core/firewall.js';
import { finalState } from './core/knock/automaton.js';
import type { KnockSource } from './core/knock/source.js';
import type { Clock } from './core/time.js';
import type { User } from './core/user.js';
import { doneSet, TABLE } from './firewall/names.js';
import { NftablesFirewall } from './firewall/nftables-firewall.js';
import { hasLeftovers, NoFirewall } from './firewall/no-firewall.js';
import type { Culprit } from './gate/guard/repair-rounds.js';
import type { Log } from './gate/log.js';
import { Kernel, type KernelNews } from './kernel.js';
import { KernelKnockSource } from './knock/kernel-source.js';
import { KernelStrikes } from './knock/kernel-strikes.js';
import { SocketKnockSource } from './knock/socket-source.js';
import { SocketSteps } from './knock/socket-steps.js';
import { StandingOrders } from './standing-orders.js';

export interface SourceOptions {
  readonly config: Config;
  readonly layout: GuardLayout;
  readonly clock: Clock;
  readonly log: Log;
  /** The sources whose strikes were told by an earlier run. */
  readonly strikesTold: ConstructorParameters<typeof KernelStrikes>[0]['toldBefore'];
  /** Somebody else changed our table, or may have: null where nobody knows who. */
  readonly onTableChanged: (culprit: Culprit | null) => void;
  readonly onFailed: (error: Error) => void;
}

/** What closes the ports, and where the knocks come from: as `firewall.driver` and `knock.source` say. */
export interface Sources {
  readonly firewall: Firewall;
  readonly source: KnockSource;
  /** Lets knocks of these users open at once, and no more those of these sequences. To be called after the source's start. */
  readonly order: (gone: readonly number[], come: readonly User[]) => void;
  /** Brings what knocks open to the sets that there are now, where these are others than before, for all who may knock. */
  readonly orderAnew: (users: readonly User[]) => void;
  /** Keeps the knocks that lie in a table which is about to be replaced. */
  readonly rescue: () => Promise<void>;
  /** Whether our table must be looked at, since nobody tells of changes. */
  readonly isBlind: boolean;
  readonly stop: () => Promise<void>;
}

/** @throws SP_NFLOG_BUSY, SP_POOL_* where the pool cannot be listened to */
export async function openSources(options: SourceOptions): Promise<Sources> {
  return await (options.config.knock.source === 'kernel' ? fromKernel(options) : fromSockets(options));
}

async function fromKernel(options: SourceOptions): Promise<Sources> {
  const { config, layout, clock, log } = options;
  const { kernel, firewall } = await openNftables(options, {
    nflogGroup: config.knock.nflogGroup,
    onPackets: (packets, early) => source.ring(packets, early),
    onPacketsLost: () => void source.missed(),
  });
  const source: KernelKnockSource = new KernelKnockSource({
    readMailbox: () => firewall.readMailbox(),
    hasDoorbell: kernel.link !== null,
    strikes:
      layout.strikes === null
        ? null
        : new KernelStrikes({
            clock,
            ignoreFor: layout.strikes.ignoreFor,
            read: () => firewall.readIgnored(),
            forgive: (sources) => firewall.forgive(sources),
            toldBefore: options.strikesTold,
            onProblem: (error) => log.error({ err: error }, 'the ignored sources cannot be read'),
          }),
    onProblem: (error) => log.error({ err: error }, 'the mailbox of knocks cannot be read; trying again'),
  });
  const { ttl, maxTtl } = config.grants;
  const ordersNow = () => new StandingOrders({ scopes: firewall.scopes, ttl, maxTtl });
  let orders = ordersNow();
  let scopes = firewall.scopes;
  return {
    firewall,
    source,
    order: (gone, come) => kernel.order(gone.map(finalState), orders.of(come)),
    orderAnew: (users) => {
      const before = scopes;
      scopes = firewall.scopes;
      if (before.size === scopes.size && [...scopes].every((scope) => before.has(scope))) return;
      orders = ordersNow();
      kernel.order([], orders.of(users));
    },
    rescue: () => source.rescue(),
    isBlind: kernel.link === null,
    stop: () => kernel.stop(),
  };
}

async function fromSockets(options: SourceOptions): Promise<Sources> {
  const { config, log, onFailed } = options;
  const { pool, window, strikes, socketProtocols: protocols } = config.knock;
  const source = new SocketKnockSource({ pool, protocols, window, strikes }, onFailed);
  await source.open();
  const shared = { source, order: () => undefined, orderAnew: () => undefined, rescue: async () => undefined };
  if (config.firewall.driver === 'none') {
    if (await hasLeftovers()) {
      log.warn(
        {},
        'rules of an earlier configuration still guard; take them away with: nft delete table inet sallyport',
      );
    }
    const firewall = new SocketSteps(new NoFirewall(), source);
    return { ...shared, firewall, isBlind: false, stop: () => source.stop() };
  }
  try {
    const ignore = { nflogGroup: null, onPackets: () => undefined, onPacketsLost: () => undefined };
    const { kernel, firewall } = await openNftables(options, ignore);
    const stop = async () => {
      await kernel.stop();
      await source.stop();
    };
    return { ...shared, firewall: new SocketSteps(firewall, source), isBlind: kernel.link === null, stop };
  } catch (error) {
    await source.stop();
    throw error;
  }
}

async function openNftables(
  { config, layout, clock, log, onTableChanged, onFailed }: SourceOptions,
  knocks: Pick<KernelNews, 'onPackets' | 'onPacketsLost'> & { readonly nflogGroup: number | null },
) {
  const { nflogGroup, ...news } = knocks;
  const early = { table: TABLE, mailbox: { 4: doneSet(4), 6: doneSet(6) }, ipv6Prefix: layout.ipv6Prefix };
  const kernel = new Kernel({ table: TABLE, nflogGroup, log, early, news: { ...news, onTableChanged, onFailed } });
  await kernel.start();
  const firewall = new NftablesFirewall({
    shape: { layout, fallback: null },
    clock,
    directory: config.state.directory,
    link: kernel.link,
    onStarted: (pid) => kernel.expectProcess(pid),
    onUnsaved: (error) => log.warn({ err: error }, 'the guard could not be saved for the boot step'),
  });
  return { kernel, firewall };
}
