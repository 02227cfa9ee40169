import { closedServices } from './config/closed-services.js';
import type { Config } from './config/config.js';
import { poolProblems } from './config/pool.js';
import type { Entry } from './core/entry.js';
import { SallyportError } from './core/errors.js';
import type { GuardLayout } from './core/firewall.js';
import type { NameEntry } from './core/names/name-entry.js';
import { type PortRange, PROTOCOLS, type Protocol, parsePortSpan } from './core/ports.js';
import type { Instant } from './core/time.js';
import { localPortRange } from './host/addresses.js';
import { wireguardPorts } from './host/wireguard.js';

/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');

/** The shape of the guard that a configuration asks for on this host. */
export async function guardLayout(config: Config): Promise<GuardLayout> {
  return {
    policy: config.firewall.policy,
    guarded: new Map(closedServices(config).map((name) => [name, config.services.get(name) ?? []])),
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
    openPorts: config.firewall.policy === 'lockdown' ? await openPorts(config) : [],
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

/** The protocols of which packets count as knocks. */
export function heardProtocols({ knock }: Pick<Config, 'knock'>): readonly Protocol[] {
  return knock.source === 'socket' ? knock.socketProtocols : PROTOCOLS;
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
