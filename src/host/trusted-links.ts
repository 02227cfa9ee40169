import type { Instant } from '../core/time.js';
import type { TrustedLink } from '../core/trusted-link.js';
import { type Host, localHost, plain } from './host.js';
import { isNamed } from './wireguard.js';

/** An interface, of what `ip -j -d link show` tells. */
interface Link {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly link_type: string;
  readonly linkinfo?: { readonly info_kind?: string };
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
    host.run('ip', ['-j', '-d', 'link', 'show']),
    host.run('wg', ['show', 'interfaces']),
    host.run('wg', ['show', 'all', 'latest-handshakes']),
  ]);
  const links = readLinks(text);
  if (links === undefined) return undefined;
  const isTunnel = new Set(tunnels?.trim().split(/\s+/));
  const times = readHandshakes(handshakes ?? '');
  const found = new Map<string, TrustedLink>();
  for (const name of names) {
    const named = links.filter(({ ifname }) => isNamed(ifname, [name]));
    if (named.length === 0) found.set(name, { name, state: 'missing', kind: null, wireguard: null });
    for (const { ifname, flags, link_type, linkinfo } of named) {
      const isUp = flags.includes('UP') && flags.includes('LOWER_UP');
      const kind = isTunnel.has(ifname) ? 'wireguard' : plain(linkinfo?.info_kind ?? link_type);
      const wireguard = isTunnel.has(ifname) ? summary(times.get(ifname) ?? []) : null;
      found.set(ifname, { name: plain(ifname), state: isUp ? 'up' : 'down', kind, wireguard });
    }
  }
  return [...found.values()];
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

function summary(times: readonly number[]): NonNullable<TrustedLink['wireguard']> {
  const latest = Math.max(0, ...times);
  return { peers: times.length, latestHandshake: latest === 0 ? null : ((latest * 1000) as Instant) };
}
