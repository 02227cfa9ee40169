import type { Address } from '../core/address.js';
import type { Host } from './host.js';
import { readAddress } from './inet.js';
import { ancestry, heldSockets, type Process, startedWith } from './proc.js';
import { type Socket, socketsOf } from './sockets.js';

/** One SSH connection to this machine, as a process that descends from its session sees it. */
export interface SshConnection {
  readonly address: Address;
  readonly port: number;
  /** The port of ours that it came to. */
  readonly localPort: number;
}

/**
 * The sshd that accepts connections. It calls itself "sshd: … [listener] …" since OpenSSH 8.2, and before that keeps
 * its command line; what it has just accepted may be anybody's.
 */
export function isSshdListener({ name, title }: Process): boolean {
  return name === 'sshd' && (!title.startsWith('sshd: ') || title.includes('[listener]'));
}

/** The sshd of one connection, authenticated or not: since OpenSSH 9.8 a program of its own. */
export function isSshdSession(process: Process): boolean {
  return process.name === 'sshd-session' || (process.name === 'sshd' && !isSshdListener(process));
}

/** The user in the title of a session: "sshd: alice@pts/0", "sshd-session: alice [priv]". */
export function sessionUser({ title }: Process): string | null {
  const name = /^sshd(?:-session)?: (.+)$/.exec(title)?.[1]?.replace(/ \[priv\]$/, '');
  if (name === undefined || name.startsWith('[')) return null;
  const terminal = name.lastIndexOf('@');
  return terminal > 0 ? name.slice(0, terminal) : name;
}

/**
 * The connections that a session's sshd holds: its own, and those that it forwards for its user, whose other ends are
 * nobody we know. Undefined where its descriptors or tables may not be read.
 */
export async function heldConnections(host: Host, pid: number): Promise<readonly Socket[] | undefined> {
  const [inodes, sockets] = await Promise.all([heldSockets(host, pid), socketsOf(host, pid, 'tcp', 'established')]);
  return inodes === undefined ? undefined : sockets?.filter(({ inode }) => inodes.has(inode));
}

/**
 * The connection that a session's sshd serves, among those that it holds: the one that the shell which it started
 * (`child`) was told of, or else the one that its monitor holds as well, or else the only one. Undefined where none of
 * these tells.
 */
export async function servedConnection(
  host: Host,
  session: Process,
  child?: Process,
): Promise<SshConnection | undefined> {
  const held = (await heldConnections(host, session.pid)) ?? [];
  // Only sshd's own child: the environment of an sshd may come from the session in which somebody started that sshd.
  const told =
    child === undefined || isSshdSession(child) ? undefined : await startedWith(host, child.pid, 'SSH_CONNECTION');
  if (told !== undefined) {
    const end = parseSshConnection(told);
    return connectionOf(end && held.find((socket) => isEnd(socket, end)));
  }
  const [, parent] = await ancestry(host, session.pid);
  const monitored = parent && isSshdSession(parent) ? await heldSockets(host, parent.pid) : undefined;
  const shared = monitored === undefined ? held : held.filter(({ inode }) => monitored.has(inode));
  return shared.length === 1 ? connectionOf(shared[0]) : undefined;
}

/** Reads SSH_CONNECTION: "client port server port" (ssh(1)). */
export function parseSshConnection(text: string | undefined): SshConnection | undefined {
  const [client, port, , localPort] = (text ?? '').split(' ');
  const address = readAddress(client ?? '');
  if (address === undefined || !/^\d{1,5}$/.test(port ?? '') || !/^\d{1,5}$/.test(localPort ?? '')) return undefined;
  return { address, port: Number(port), localPort: Number(localPort) };
}

/** Whether a socket is our end of a connection. */
export function isEnd({ local, remote }: Socket, connection: SshConnection): boolean {
  return (
    remote.address === connection.address && remote.port === connection.port && local.port === connection.localPort
  );
}

function connectionOf(socket: Socket | undefined): SshConnection | undefined {
  return socket && { address: socket.remote.address, port: socket.remote.port, localPort: socket.local.port };
}
