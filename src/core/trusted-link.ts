import type { Instant } from './time.js';

/** A trusted interface as it is found: everything that comes through it is let in, so people should know what it is. */
export interface TrustedLink {
  /** Its name; the pattern of the configuration where nothing answers to it. */
  readonly name: string;
  readonly state: 'up' | 'down' | 'missing';
  /** What it is: `wireguard`, `tailscale`, or in the words of `ip`: `tun`, `ether`, …; null where it is missing. */
  readonly kind: string | null;
  /** Of WireGuard and Tailscale, where `wg` or `tailscale` can tell. */
  readonly peers: Peers | null;
}

/** Who is at the other ends of a tunnel. */
export interface Peers {
  readonly count: number;
  /** How many of them are connected to their network now; null where that is not known. */
  readonly online: number | null;
  readonly latestHandshake: Instant | null;
}
