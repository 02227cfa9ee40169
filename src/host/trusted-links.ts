import type { Address } from '../core/address.js';
import type { Instant } from '../core/time.js';
import type { Peers, TrustedLink } from '../core/trusted-link.js';
import { type Host, localHost, plain } from './host.js';
import { readAddress } from './inet.js';
import { tailnet } from './tailscale.js';
import { isNamed } from './wireguard.js';

/** An interface, of what `ip -j -d address show` tells. */
interface Link {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly link_type: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly local?: string }[];
}

/**
 * The interfaces of these names, in their order; undefined where they cannot be looked at.
 * @param names of interfaces; a trailing `*` stands for any ending
 */
export async function trustedLinks(
  names: readonly string[],
  host: Host = localHost(),
): Promise<readonly TrustedLink[] | undefined> {
  const [text, tunnels, handshakes] = await Promise.all([
    host.run('ip', ['-j', '-d', 'address', 'show']),
    host.run('wg', ['show', 'interfaces']),
    host.run('wg', ['show', 'all', 'latest-handshakes']),
  ]);
  const links = readLinks(text);
  if (links === undefined) return undefined;
  const isWireguard = new Set(tunnels?.trim().split(/\s+/));
  const times = readHandshakes(handshakes ?? '');
  const mayBe = ({ ifname, linkinfo }: Link) =>
    linkinfo?.info_kind === 'tun' && isNamed(ifname, names) && !isWireguard.has(ifname);
  const tailscale = links.some(mayBe) ? await tailnet(host) : undefined;
  const found = new Map<string, TrustedLink>();
  for (const name of names) {
    const named = links.filter(({ ifname }) => isNamed(ifname, [name]));
    if (named.length === 0) found.set(name, { name, state: 'missing', kind: null, peers: null });
    for (const { ifname, flags, link_type, linkinfo, addr_info } of named) {
      const isUp = flags.includes('UP') && flags.includes('LOWER_UP');
      const about = isWireguard.has(ifname)
        ? { kind: 'wireguard', peers: summary(times.get(ifname) ?? []) }
        : tailscale !== undefined && hasAddress(addr_info, tailscale.own)
          ? { kind: 'tailscale', peers: tailscale.peers }
          : { kind: plain(linkinfo?.info_kind ?? link_type), peers: null };
      found.set(ifname, { name: plain(ifname), state: isUp ? 'up' : 'down', ...about });
    }
  }
  return [...found.values()];
}

/** Tailscale does not tell the name of its interface: it is the one with this machine's addresses in its network. */
function hasAddress(addresses: Link['addr_info'] = [], own: readonly Address[]): boolean {
  return addresses.some(({ local }) => own.some((one) => one === readAddress(local ?? '')));
}

function readLinks(text: string | undefined): readonly Link[] | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as readonly Link[]);
  } catch {
    return undefined;
  }
}

/** `wg show all latest-handshakes`: interface, key of the peer and seconds since 1970, 0 for never, with tabs between. */
function readHandshakes(text: string): ReadonlyMap<string, readonly number[]> {
  const times = new Map<string, number[]>();
  for (const [, name = '', seconds] of text.matchAll(/^(\S+)\t\S+\t(\d+)$/gm)) {
    times.set(name, [...(times.get(name) ?? []), Number(seconds)]);
  }
  return times;
}

function summary(times: readonly number[]): Peers {
  const latest = Math.max(0, ...times);
  return { count: times.length, online: null, latestHandshake: latest === 0 ? null : ((latest * 1000) as Instant) };
}
