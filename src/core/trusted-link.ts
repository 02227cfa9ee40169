import type { Instant } from './time.js';

/** A trusted interface as it is found: everything that comes through it is let in, so people should know what it is. */
export interface TrustedLink {
  /** Its name; the pattern of the configuration where nothing answers to it. */
  readonly name: string;
  readonly state: 'up' | 'down' | 'missing';
  /** What it is, in the words of `ip`: `wireguard`, `tun`, `ether`, …; null where it is missing. */
  readonly kind: string | null;
  /** Of WireGuard, where `wg` can tell. */
  readonly wireguard: { readonly peers: number; readonly latestHandshake: Instant | null } | null;
}
