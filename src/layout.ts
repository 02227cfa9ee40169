import { closedServices } from './config/closed-services.js';
import type { Config } from './config/config.js';
import { poolProblems } from './config/pool.js';
import { SallyportError } from './core/errors.js';
import type { GuardLayout, KeptRules } from './core/firewall.js';
import { type PortRange, PROTOCOLS, type Protocol, parsePortSpan } from './core/ports.js';
import { type GuardRules, withRules } from './core/rules.js';
import { localPortRange } from './host/addresses.js';
import { wireguardPorts } from './host/wireguard.js';

/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');

/** The shape of the guard that a configuration asks for on this host. */
export async function guardLayout(config: Config): Promise<GuardLayout> {
  return (await guardOf(config)).layout;
}

/** The shape of the guard that a configuration asks for on this host, and the rules in it. */
export async function guardOf(config: Config): Promise<KeptRules> {
  const { knock, grants } = config;
  const rules = await guardRules(config, knock);
  const fixed = {
    pool: knock.pool,
    knocks: knock.source,
    strikes: knock.source === 'kernel' ? knock.strikes : null,
    window: knock.window,
    nflogGroup: knock.nflogGroup,
    maxTtl: grants.maxTtl,
    ipv6Prefix: grants.ipv6Prefix,
    localPorts: (await localPortRange()) ?? USUAL_LOCAL_PORTS,
  };
  return { layout: withRules(fixed, rules), rules };
}

/**
 * What of a configuration decides who is in.
 * @param knock how knocks are heard while these rules hold, which may be another configuration's
 */
export async function guardRules(config: Config, knock: Config['knock']): Promise<GuardRules> {
  const { firewall, services, trusted } = config;
  return {
    policy: firewall.policy,
    guarded: new Map(closedServices(config).map((name) => [name, services.get(name) ?? []])),
    onExpiry: firewall.onExpiry,
    trustedInterfaces: trusted.interfaces,
    forwardFrom: firewall.forward,
    openPorts: firewall.policy === 'lockdown' ? await openPorts({ trusted, knock }) : [],
    services,
    entries: trusted.addresses,
    names: trusted.names,
    providers: trusted.providers,
  };
}

/** What must stay open for those who are to get in: the way into a trusted VPN, and the sockets that take the knocks. */
async function openPorts({ trusted, knock }: Pick<Config, 'trusted' | 'knock'>): Promise<readonly PortRange[]> {
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

/**
 * The pool must be clear of the ports of the host's own connections: replies to them would be taken for knocks.
 * @throws SP_POOL_OVERLAP
 */
export function checkPool({ pool, localPorts }: GuardLayout): void {
  const [problem] = poolProblems(pool, localPorts);
  if (problem !== undefined) throw new SallyportError('SP_POOL_OVERLAP', { problem });
}
