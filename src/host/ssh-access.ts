import type { Address } from '../core/address.js';
import type { Port } from '../core/ports.js';
import { ownAddresses } from './addresses.js';
import { localHost } from './host.js';
import { readAddress } from './inet.js';
import { ownSessions } from './own-session.js';
import { sshPeers } from './ssh-peers.js';
import { sshdPorts } from './sshd-ports.js';

/** Who is logged in over SSH, and where: looked up anew at each call. */
export function sshAccess() {
  return {
    peers: async (): Promise<readonly Address[]> => (await sshPeers()).map(({ address }) => address),
    ports: async (): Promise<readonly Port[]> => (await sshdPorts()).map(({ port }) => port),
    ownAddresses: (): ReadonlySet<Address> => ownAddresses(localHost()),
  };
}

/**
 * The other ends of the SSH sessions that this process was started in. SSH_CONNECTION is believed as it stands, since it
 * is used to protect alone.
 */
export async function ownPeers(): Promise<readonly Address[]> {
  const host = localHost();
  const told = readAddress((host.env.SSH_CONNECTION ?? '').split(' ')[0] ?? '');
  const sessions = await ownSessions(host);
  return [...new Set([...sessions.map(({ address }) => address), ...(told === undefined ? [] : [told])])];
}
