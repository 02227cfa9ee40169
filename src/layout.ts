import { closedServices } from './config/closed-services.js';
import type { Config } from './config/config.js';
import { poolProblems } from './config/pool.js';
import type { Entry } from './core/entry.js';
import { SallyportError } from './core/errors.js';
import type { GuardLayout } from './core/firewall.js';
import type { NameEntry } from './core/names/name-entry.js';
import { type PortRange, PROTOCOLS, type Protocol, parsePortSpan, portsWithout } from './core/ports.js';
import { PROVIDER_PROTOCOLS, PROVIDER_SCOPE, type ProviderName, parseProviderNames } from './core/provider.js';
import type { ServiceName } from './core/service.js';
import type { StoredState } from './core/store.js';
import type { Instant } from './core/time.js';
import { localPortRange } from './host/addresses.js';
import { wireguardPorts } from './host/wireguard.js';

/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');

/** The shape of the guard that a configuration asks for on this host. */
export async function guardLayout(config: Config): Promise<GuardLayout> {
  const closed = new Map(closedServices(config).map((name) => [name, config.services.get(name) ?? []]));
  const open = config.firewall.policy === 'lockdown' ? await openPorts(config) : [];
  return {
    policy: config.firewall.policy,
    guarded: new Map([...closed, ...providerPorts(config, [...closed.values()].flat(), open)]),
    onExpiry: config.firewall.onExpiry,
    pool: config.knock.pool,
    knocks: config.knock.source,
    strikes: config.knock.source === 'kernel' ? config.knock.strikes : null,
    window: config.knock.window,
    nflogGroup: config.knock.nflogGroup,
    maxTtl: config.grants.maxTtl,
    ipv6Prefix: config.grants.ipv6Prefix,
    trustedInterfaces: config.trusted.interfaces,
    forwardFrom: config.firewall.forward,
    openPorts: open,
    localPorts: (await localPortRange()) ?? USUAL_LOCAL_PORTS,
  };
}

/** What must stay open for those who are to get in: the way into a trusted VPN, and the sockets that take the knocks. */
async function openPorts({ trusted, knock }: Config): Promise<readonly PortRange[]> {
  const tunnels = await wireguardPorts(trusted.interfaces);
  const knocked = knock.source === 'socket' ? heardProtocols({ knock }) : [];
  return [
    ...tunnels.map((port): PortRange => ({ protocol: 'udp', first: port, last: port })),
    ...knocked.map((protocol): PortRange => ({ protocol, ...knock.pool })),
  ];
}

/**
 * What may be opened to providers, as services beside those of the configuration: their ports as far as they are closed by
 * something else, so that nothing is closed for a provider's sake. Whoever is enabled later finds the sets there.
 * @param closed the ports of the services that are closed
 * @param open what lockdown leaves open
 */
export function providerPorts(
  { providers, firewall }: Pick<Config, 'providers' | 'firewall'>,
  closed: readonly PortRange[],
  open: readonly PortRange[],
): (readonly [ServiceName, readonly PortRange[]])[] {
  return PROVIDER_PROTOCOLS.flatMap((protocol) => {
    const all = providers.ports[protocol];
    const notClosed = portsWithout(firewall.policy === 'lockdown' ? open : all, closed);
    const ports = portsWithout(all, notClosed);
    return ports.length === 0 ? [] : [[PROVIDER_SCOPE[protocol], ports]];
  });
}

/** The protocols of which packets count as knocks. */
export function heardProtocols({ knock }: Pick<Config, 'knock'>): readonly Protocol[] {
  return knock.source === 'socket' ? knock.socketProtocols : PROTOCOLS;
}

/** The providers that the configuration and commands have enabled. */
export function enabledProviders(
  { trusted }: Pick<Config, 'trusted'>,
  { meta }: Pick<StoredState, 'meta'>,
): readonly ProviderName[] {
  return [...trusted.providers, ...parseProviderNames(meta.providers)];
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

/** The host names that the configuration lets in. */
export function configuredNames(config: Config): NameEntry[] {
  return config.trusted.names.map(({ name, services, note }, index) => ({
    id: `config-name-${index + 1}`,
    name,
    services,
    note,
    source: 'config',
    createdAt: 0 as Instant,
  }));
}

/**
 * The pool must be clear of the ports of the host's own connections: replies to them would be taken for knocks.
 * @throws SP_POOL_OVERLAP
 */
export function checkPool({ pool, localPorts }: GuardLayout): void {
  const [problem] = poolProblems(pool, localPorts);
  if (problem !== undefined) throw new SallyportError('SP_POOL_OVERLAP', { problem });
}
