import type { Address } from '../core/address.js';
import type { Instant } from '../core/time.js';
import type { Peers } from '../core/trusted-link.js';
import type { Host } from './host.js';
import { readAddress } from './inet.js';

/** What Tailscale tells of itself: the addresses of this machine in its network, and who else is in it. */
export interface Tailnet {
  readonly own: readonly Address[];
  readonly peers: Peers;
}

/**
 * What `tailscale status --json` tells; undefined where the program is not there, does not answer in time, is not connected, or says
 * anything else than is expected.
 */
export async function tailnet(host: Pick<Host, 'run'>): Promise<Tailnet | undefined> {
  const text = await host.run('tailscale', ['status', '--json']);
  return text === undefined ? undefined : readStatus(text);
}

/** `ipnstate.Status` of Tailscale, of which only these fields are read. */
function readStatus(text: string): Tailnet | undefined {
  try {
    const status = fields(JSON.parse(text));
    if (status.BackendState !== 'Running') return undefined;
    const own = list(fields(status.Self).TailscaleIPs).map((one) => need(readAddress(need(asText(one)))));
    const peers = status.Peer == null ? [] : Object.values(fields(status.Peer)).map(fields);
    const handshakes = peers.map(({ LastHandshake }) => readTime(LastHandshake));
    const online = peers.filter((peer) => need(asFlag(peer.Online))).length;
    const latest = Math.max(0, ...handshakes);
    return {
      own,
      peers: { count: peers.length, online, latestHandshake: latest === 0 ? null : (latest as Instant) },
    };
  } catch {
    return undefined;
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no object');
  return value as Record<string, unknown>;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('no list');
  return value;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asFlag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('not as expected');
  return value;
}

/** Milliseconds since 1970; 0 for never, which Go writes as the year 1. */
function readTime(value: unknown): number {
  const time = Date.parse(need(asText(value)));
  if (Number.isNaN(time)) throw new TypeError('no time');
  return Math.max(0, time);
}
