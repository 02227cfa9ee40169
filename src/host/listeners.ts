import type { Address } from '../core/address.js';
import type { OwnConnection } from '../core/firewall.js';
import { type Port, type Protocol, toPort } from '../core/ports.js';
import { type Host, localHost } from './host.js';
import { isLoopback } from './inet.js';
import { heldSockets, processIds, readProcess } from './proc.js';
import { type Socket, socketsOf } from './sockets.js';

/** A port at which some program of this machine waits for others. */
export interface Listener {
  readonly protocol: Protocol;
  readonly port: Port;
  /** The name of the program, at most 15 characters; null where the kernel itself listens or we may not look. */
  readonly program: string | null;
  /** Whether only this machine can reach it. */
  readonly loopback: boolean;
}

/** What listens on this machine in our network namespace, by port; each port of a protocol once. */
export async function listeners(host: Host = localHost()): Promise<readonly Listener[]> {
  const [tcp, udp] = await Promise.all([
    socketsOf(host, 'self', 'tcp', 'listening'),
    socketsOf(host, 'self', 'udp', 'unconnected'),
  ]);
  const sockets = [...(tcp ?? []), ...(udp ?? [])].filter(({ local }) => local.port > 0);
  const programs = await programsOf(host, new Set(sockets.map(({ inode }) => inode)));
  const found = new Map<string, Listener>();
  for (const socket of sockets) {
    const key = `${socket.protocol}/${socket.local.port}`;
    found.set(key, merge(found.get(key), socket, programs.get(socket.inode) ?? null));
  }
  return [...found.values()].sort((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol));
}

/**
 * The far ends of the connections that others began to TCP ports of this machine: to those at which something listens, since
 * the kernel takes none of these for a connection of its own.
 */
export async function inboundPeers(
  isWanted: (port: Port) => boolean,
  host: Host = localHost(),
): Promise<ReadonlySet<Address>> {
  const listening = (await socketsOf(host, 'self', 'tcp', 'listening')) ?? [];
  const ports = new Set(listening.map(({ local }) => local.port).filter((port) => port > 0 && isWanted(toPort(port))));
  if (ports.size === 0) return new Set();
  const connected = (await socketsOf(host, 'self', 'tcp', 'established')) ?? [];
  const inbound = connected.filter(({ local, remote }) => ports.has(local.port) && !isLoopback(remote.address));
  return new Set(inbound.map(({ remote }) => remote.address));
}

/** The TCP connections that this machine began: from ports at which nothing listens. Those to itself are left out. */
export async function ownConnections(
  isWanted: (port: Port) => boolean,
  host: Host = localHost(),
): Promise<readonly OwnConnection[]> {
  const listening = (await socketsOf(host, 'self', 'tcp', 'listening')) ?? [];
  const others = new Set(listening.map(({ local }) => local.port));
  const connected = (await socketsOf(host, 'self', 'tcp', 'established')) ?? [];
  return connected
    .filter(({ local, remote }) => !others.has(local.port) && !isLoopback(remote.address))
    .map(({ local, remote }) => ({
      remote: remote.address,
      remotePort: toPort(remote.port),
      localPort: toPort(local.port),
    }))
    .filter(({ localPort }) => isWanted(localPort));
}

/** The services of a usual server that can be reached from outside: what there is to guard. */
export interface Exposed {
  readonly ssh: readonly Listener[];
  readonly sip: readonly Listener[];
  readonly web: readonly Listener[];
}

const SIP_PORTS: readonly number[] = [5060, 5061];
/** FreePBX gives them to the second of its two SIP drivers. */
const ASTERISK_PORTS: readonly number[] = [...SIP_PORTS, 5160, 5161];
const WEB_PORTS: readonly number[] = [80, 443];

/** Sorts listeners into the services that people guard: `ssh`, `sip`, `web`. Those on loopback are left out. */
export function exposedServices(found: readonly Listener[]): Exposed {
  const open = found.filter(({ loopback }) => !loopback);
  return {
    ssh: open.filter(({ protocol, port, program }) => protocol === 'tcp' && (program === 'sshd' || port === 22)),
    sip: open.filter(({ port, program }) => (program === 'asterisk' ? ASTERISK_PORTS : SIP_PORTS).includes(port)),
    web: open.filter(({ protocol, port }) => protocol === 'tcp' && WEB_PORTS.includes(port)),
  };
}

/** Whether an Asterisk runs on this machine. */
export async function asteriskPresent(host: Host = localHost()): Promise<boolean> {
  for (const pid of await processIds(host)) {
    if ((await readProcess(host, pid))?.name === 'asterisk') return true;
  }
  return false;
}

function merge(known: Listener | undefined, socket: Socket, program: string | null): Listener {
  return {
    protocol: socket.protocol,
    port: toPort(socket.local.port),
    program: known?.program ?? program,
    loopback: (known?.loopback ?? true) && isLoopback(socket.local.address),
  };
}

/** The program that holds each socket. The first process comes last: it holds the sockets that it starts others for. */
async function programsOf(host: Host, inodes: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const programs = new Map<string, string>();
  const pids = await processIds(host);
  for (const pid of [...pids.filter((id) => id !== 1), 1]) {
    const wanted = [...((await heldSockets(host, pid)) ?? [])].filter(
      (inode) => inodes.has(inode) && !programs.has(inode),
    );
    if (wanted.length === 0) continue;
    const process = await readProcess(host, pid);
    if (process === undefined) continue;
    for (const inode of wanted) programs.set(inode, process.name);
  }
  return programs;
}
