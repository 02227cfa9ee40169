import { readFile } from 'node:fs/promises';
import { type Address, neverAllowed } from '../core/address.js';
import { ownAddresses } from './addresses.js';
import { type Host, localHost } from './host.js';
import { readAddress } from './inet.js';
import { logindSshSessions } from './logind.js';
import { ownSessions } from './own-session.js';
import { ancestry, type Process, readProcess, realUserId } from './proc.js';
import { heldConnections, isSshdSession, servedConnection } from './sshd.js';
import { parseUtmp } from './utmp.js';

/** The other end of an authenticated SSH session, and how we know of it. */
export interface SshPeer {
  readonly address: Address;
  readonly how: 'this session' | 'login session' | 'login record';
  readonly user: string | null;
}

/**
 * The addresses from which somebody is logged in by SSH right now: the session that this process was started in, those
 * of systemd-logind, those of utmp. Each address once, by the strongest of these proofs. Mere TCP connections do not
 * count, since they may be an attacker's guesses; neither do host names, nor addresses that may never be let in
 * (loopback, our own). What cannot be read is passed over, so this never fails.
 */
export async function sshPeers(host: Host = localHost()): Promise<readonly SshPeer[]> {
  const sources = await Promise.all([fromOwnSessions(host), fromLogind(host), fromUtmp(host)]);
  const own = ownAddresses(host);
  const peers = new Map<Address, SshPeer>();
  for (const peer of sources.flat()) {
    if (neverAllowed(peer.address, own) !== undefined) continue;
    const known = peers.get(peer.address);
    if (known === undefined) peers.set(peer.address, peer);
    else if (known.user === null) peers.set(peer.address, { ...known, user: peer.user });
  }
  return [...peers.values()];
}

async function fromOwnSessions(host: Host): Promise<readonly SshPeer[]> {
  const sessions = await ownSessions(host);
  return sessions.map(({ address, user }) => ({ address, how: 'this session', user }));
}

async function fromLogind(host: Host): Promise<readonly SshPeer[]> {
  const peers: SshPeer[] = [];
  for (const { user, remoteHost, leader } of await logindSshSessions(host)) {
    // With "UseDNS yes" sshd gives logind a name, which we do not look up: the leader's socket has the address.
    const address = readAddress(remoteHost) ?? (await addressOfSession(host, leader));
    if (address !== undefined) peers.push({ address, how: 'login session', user: user === '' ? null : user });
  }
  return peers;
}

async function addressOfSession(host: Host, pid: number): Promise<Address | undefined> {
  const process = pid > 0 ? await readProcess(host, pid) : undefined;
  if (process === undefined || !isSshdSession(process)) return undefined;
  return (await servedConnection(host, process))?.address;
}

/**
 * A record outlives a session that was killed, and its process id is given out again; and programs other than sshd make
 * records with whatever their users say. So a record counts only while its process belongs to a session of root's sshd
 * and, as far as we may look, the connection of this session comes from that address.
 */
async function fromUtmp(host: Host): Promise<readonly SshPeer[]> {
  const bytes = await readFile(host.utmpFile).catch(() => undefined);
  const peers: SshPeer[] = [];
  for (const { pid, user, addresses } of bytes === undefined ? [] : parseUtmp(bytes, host.byteOrder)) {
    if (addresses.length === 0) continue;
    const session = await privilegedSession(host, pid);
    if (session === undefined) continue;
    const seen = await seenAddresses(host, session);
    const address = addresses.find((one) => seen?.has(one) ?? true);
    if (address !== undefined) peers.push({ address, how: 'login record', user: user === '' ? null : user });
  }
  return peers;
}

/** The nearest sshd above a process that root runs: anybody can give a program of his the name and title of sshd. */
async function privilegedSession(host: Host, pid: number): Promise<Process | undefined> {
  for (const process of await ancestry(host, pid)) {
    if (isSshdSession(process) && (await realUserId(host, process.pid)) === 0) return process;
  }
  return undefined;
}

/** Where a session's connection may come from: one address where that is certain; undefined where we may not look. */
async function seenAddresses(host: Host, session: Process): Promise<ReadonlySet<Address> | undefined> {
  const served = await servedConnection(host, session);
  if (served !== undefined) return new Set([served.address]);
  const held = await heldConnections(host, session.pid);
  return held && new Set(held.map(({ remote }) => remote.address));
}
