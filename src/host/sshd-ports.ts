import { type Port, toPort } from '../core/ports.js';
import { type Host, localHost } from './host.js';
import { isLoopback } from './inet.js';
import { ownSessions } from './own-session.js';
import { heldSockets, processIds, readProcess } from './proc.js';
import { socketsOf } from './sockets.js';
import { isSshdListener } from './sshd.js';

export interface SshdPort {
  readonly port: Port;
  readonly from: 'listening sshd' | 'socket unit' | 'this session' | 'sshd configuration' | 'default';
}

/**
 * The ports at which sshd can be reached, in ascending order, and how we know: what sshd and systemd's socket unit
 * listen on now; else where the SSH session that we run in came to; else what `sshd -T` prints; else 22. The socket
 * unit goes before the configuration because sshd takes its socket and ignores its own ports. Never empty.
 */
export async function sshdPorts(host: Host = localHost()): Promise<readonly SshdPort[]> {
  const live = [
    ...toPorts(await listeningPorts(host), 'listening sshd'),
    ...toPorts(await unitPorts(host), 'socket unit'),
  ];
  if (live.length > 0) return unique(live);
  const session = toPorts(
    (await ownSessions(host)).map(({ localPort }) => localPort),
    'this session',
  );
  if (session.length > 0) return unique(session);
  const configured = toPorts(parseEffectiveConfig((await host.run('sshd', ['-T'])) ?? ''), 'sshd configuration');
  return configured.length > 0 ? unique(configured) : [{ port: toPort(22), from: 'default' }];
}

/**
 * Sockets of the listener only: the sshd of a session listens too, for the ports that its user forwards. What is bound
 * to loopback counts only where there is nothing else.
 */
async function listeningPorts(host: Host): Promise<readonly number[]> {
  const listening = (await socketsOf(host, 'self', 'tcp', 'listening')) ?? [];
  const inodes = new Set<string>();
  for (const pid of await processIds(host)) {
    const process = await readProcess(host, pid);
    if (process === undefined || !isSshdListener(process)) continue;
    for (const inode of (await heldSockets(host, pid)) ?? []) inodes.add(inode);
  }
  const own = listening.filter(({ inode }) => inodes.has(inode)).map(({ local }) => local);
  const reachable = own.filter(({ address }) => !isLoopback(address));
  return (reachable.length > 0 ? reachable : own).map(({ port }) => port);
}

async function unitPorts(host: Host): Promise<readonly number[]> {
  const units = ['ssh.socket', 'sshd.socket'];
  return parseSocketUnits((await host.run('systemctl', ['show', ...units, '-p', 'ActiveState', '-p', 'Listen'])) ?? '');
}

/**
 * Reads what `systemctl show` says of socket units: `Listen=[::]:22 (Stream)`, a blank line between units. Sockets of
 * virtual machines (`vsock:…`) and paths have no port.
 */
export function parseSocketUnits(text: string): readonly number[] {
  const active = text.split(/\n\s*\n/).filter((unit) => /^ActiveState=active$/m.test(unit));
  const lines = active.flatMap((unit) => unit.match(/^Listen=.*$/gm) ?? []);
  const streams = lines.flatMap((line) => [...line.slice('Listen='.length).matchAll(/(\S+) \(Stream\)/g)]);
  return streams.flatMap(([, where = '']) => {
    const port = /^(?!vsock:)(?:\S*:)?(\d{1,5})$/.exec(where)?.[1];
    return port === undefined ? [] : [Number(port)];
  });
}

/** Reads `sshd -T` (sshd(8)): `listenaddress [::]:22` names the port in use also where ListenAddress sets its own. */
export function parseEffectiveConfig(text: string): readonly number[] {
  const ports = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, port]) => Number(port));
  const bound = ports(/^listenaddress \S+:(\d{1,5})(?:\s|$)/gim);
  return bound.length > 0 ? bound : ports(/^port (\d{1,5})\s*$/gim);
}

function toPorts(numbers: readonly number[], from: SshdPort['from']): readonly SshdPort[] {
  return numbers.filter((port) => port >= 1 && port <= 65535).map((port) => ({ port: toPort(port), from }));
}

function unique(ports: readonly SshdPort[]): readonly SshdPort[] {
  const first = new Map<Port, SshdPort>();
  for (const found of ports) if (!first.has(found.port)) first.set(found.port, found);
  return [...first.values()].sort((a, b) => a.port - b.port);
}
