import { closedServices } from './config/closed-services.js';
import type { Config } from './config/config.js';
import { poolProblems } from './config/pool.js';
import { SallyportError } from './core/errors.js';
import type { GuardLayout, KeptRules } from './core/firewall.js';
import {
  formatPortRange,
  type Port,
  type PortRange,
  PROTOCOLS,
  type Protocol,
  parsePortSpan,
  portsWithout,
} from './core/ports.js';
import { PROVIDER_PROTOCOLS, PROVIDER_SCOPE } from './core/provider.js';
import { type GuardRules, withRules } from './core/rules.js';
import type { ServiceName } from './core/service.js';
import { localPortRange } from './host/addresses.js';
import { wireguardPorts, wireguardPortsNow } from './host/wireguard.js';

/** Where the kernel does not say which ports its own connections take (Linux' default). */
const USUAL_LOCAL_PORTS = parsePortSpan('32768-60999');

/** The shape of the guard that a configuration asks for on this host. */
export async function guardLayout(config: Config): Promise<GuardLayout> {
  return (await guardOf(config)).layout;
}

/** The shape of the guard that a configuration asks for on this host, and the rules in it. */
export async function guardOf(config: Config): Promise<KeptRules> {
  const { knock, grants } = config;
  const rules = await guardRules(config, config);
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
 * @param running what is read at the start alone, from the configuration that the gateway runs with
 */
export async function guardRules(
  config: Config,
  { knock, providers }: Pick<Config, 'knock' | 'providers'>,
): Promise<GuardRules> {
  const { firewall, services, trusted } = config;
  const closed = new Map(closedServices(config).map((name) => [name, services.get(name) ?? []]));
  const open =
    firewall.policy === 'lockdown' ? openPorts({ tunnels: await wireguardPorts(trusted.interfaces), knock }) : [];
  return {
    policy: firewall.policy,
    guarded: withProviders(closed, { providers, firewall }, open),
    onExpiry: firewall.onExpiry,
    trustedInterfaces: trusted.interfaces,
    forwardFrom: firewall.forward,
    openPorts: open,
    services,
    entries: trusted.addresses,
    names: trusted.names,
    providers: trusted.providers,
  };
}

/**
 * The rules with the ports at which the trusted WireGuard interfaces listen at this moment; undefined where they have them already,
 * close nothing but services, or nobody can tell.
 */
export async function withTunnelsNow(
  rules: GuardRules,
  { knock, providers }: Pick<Config, 'knock' | 'providers'>,
): Promise<GuardRules | undefined> {
  if (rules.policy !== 'lockdown') return undefined;
  const tunnels = await wireguardPortsNow(rules.trustedInterfaces);
  if (tunnels === undefined) return undefined;
  const open = openPorts({ tunnels, knock });
  const text = (ports: readonly PortRange[]) => ports.map(formatPortRange).join();
  if (text(open) === text(rules.openPorts)) return undefined;
  const closed = new Map([...rules.guarded].filter(([name]) => rules.services.has(name)));
  return { ...rules, openPorts: open, guarded: withProviders(closed, { providers, firewall: rules }, open) };
}

/** What must stay open for those who are to get in: the way into a trusted VPN, and the sockets that take the knocks. */
function openPorts({ tunnels, knock }: { tunnels: readonly Port[] } & Pick<Config, 'knock'>): readonly PortRange[] {
  const knocked = knock.source === 'socket' ? heardProtocols({ knock }) : [];
  return [
    ...tunnels.map((port): PortRange => ({ protocol: 'udp', first: port, last: port })),
    ...knocked.map((protocol): PortRange => ({ protocol, ...knock.pool })),
  ];
}

function withProviders(
  closed: ReadonlyMap<ServiceName, readonly PortRange[]>,
  parts: PortsOfProviders,
  open: readonly PortRange[],
): ReadonlyMap<ServiceName, readonly PortRange[]> {
  return new Map([...closed, ...providerPorts(parts, [...closed.values()].flat(), open)]);
}

type PortsOfProviders = Pick<Config, 'providers'> & { readonly firewall: Pick<Config['firewall'], 'policy'> };

/**
 * What may be opened to providers, as services beside those of the configuration: their ports as far as they are closed by
 * something else, so that nothing is closed for a provider's sake. Whoever is enabled later finds the sets there.
 * @param closed the ports of the services that are closed
 * @param open what lockdown leaves open
 */
export function providerPorts(
  { providers, firewall }: PortsOfProviders,
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

/**
 * The pool must be clear of the ports of the host's own connections: replies to them would be taken for knocks.
 * @throws SP_POOL_OVERLAP
 */
export function checkPool({ pool, localPorts }: GuardLayout): void {
  const [problem] = poolProblems(pool, localPorts);
  if (problem !== undefined) throw new SallyportError('SP_POOL_OVERLAP', { problem });
}
