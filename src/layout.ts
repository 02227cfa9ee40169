import type { Config } from './config/config.js';
import { poolProblems } from './config/pool.js';
import type { Entry } from './core/entry.js';
import { SallyportError } from './core/errors.js';
import type { GuardLayout } from './core/firewall.js';
import type { NameEntry } from './core/names/name-entry.js';
import { commonPorts, type PortRange, PROTOCOLS, type Protocol, parsePortSpan } from './core/ports.js';
import { PROVIDER_PROTOCOLS, PROVIDER_SCOPE, type ProviderName, parseProviderNames } from './core/provider.js';
import type { ServiceName } from './core/service.js';
import type { StoredState } from './core/store.js';
import type { Instant } from './core/time.js';
import { localPortRange } from './host/addresses.js';

/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');

/** The shape of the guard that a configuration asks for on this host. */
export async function guardLayout(config: Config): Promise<GuardLayout> {
  const guarded = new Map(config.firewall.guard.map((name) => [name, config.services.get(name) ?? []]));
  return {
    guarded: new Map([...guarded, ...providerPorts(config, [...guarded.values()].flat())]),
    onExpiry: config.firewall.onExpiry,
    pool: config.knock.pool,
    knocks: config.knock.source,
    strikes: config.knock.source === 'kernel' ? config.knock.strikes : null,
    window: config.knock.window,
    nflogGroup: config.knock.nflogGroup,
    maxTtl: config.grants.maxTtl,
    ipv6Prefix: config.grants.ipv6Prefix,
    trustedInterfaces: config.trusted.interfaces,
    localPorts: (await localPortRange()) ?? USUAL_LOCAL_PORTS,
  };
}

/**
 * What may be opened to providers, as services beside those of the configuration: their ports as far as they are closed, so
 * that nothing is closed for a provider's sake. Whoever is enabled later finds the sets there.
 */
export function providerPorts(
  { providers }: Pick<Config, 'providers'>,
  closed: readonly PortRange[],
): (readonly [ServiceName, readonly PortRange[]])[] {
  return PROVIDER_PROTOCOLS.flatMap((protocol) => {
    const ports = commonPorts(providers.ports[protocol], closed);
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
