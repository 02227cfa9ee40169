import type { Address } from '../core/address.js';
import { type PortSpan, parsePortSpan } from '../core/ports.js';
import { type Host, localHost } from './host.js';
import { readAddress } from './inet.js';
import { readText } from './proc.js';

/** The addresses of this machine's interfaces in our network namespace, loopback included. */
export function ownAddresses(host: Pick<Host, 'interfaces'> = localHost()): ReadonlySet<Address> {
  const own = new Set<Address>();
  let interfaces: ReturnType<Host['interfaces']> = {};
  try {
    interfaces = host.interfaces();
  } catch {
    // Some sandboxes forbid the question.
  }
  for (const { address } of Object.values(interfaces).flatMap((addresses) => addresses ?? [])) {
    const read = readAddress(address);
    if (read !== undefined) own.add(read);
  }
  return own;
}

/** The ports from which our own outgoing connections start; undefined where the kernel does not say. */
export async function localPortRange(procRoot = '/proc'): Promise<PortSpan | undefined> {
  const text = await readText({ procRoot }, 'sys/net/ipv4/ip_local_port_range');
  const match = /^(\d+)\s+(\d+)\s*$/.exec(text ?? '');
  if (match === null) return undefined;
  try {
    return parsePortSpan(`${match[1]}-${match[2]}`);
  } catch {
    return undefined;
  }
}

/** How long the machine runs, in seconds with a fraction; undefined where the kernel does not say. */
export async function uptime(procRoot = '/proc'): Promise<number | undefined> {
  const seconds = /^\d+\.\d+/.exec((await readText({ procRoot }, 'uptime')) ?? '')?.[0];
  return seconds === undefined ? undefined : Number(seconds);
}

/** The id of this start of the machine: another one means that the kernel has lost its sets. */
export async function bootId(procRoot = '/proc'): Promise<string | undefined> {
  const text = (await readText({ procRoot }, 'sys/kernel/random/boot_id'))?.trim();
  return text === '' ? undefined : text;
}
