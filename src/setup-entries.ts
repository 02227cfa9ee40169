import { randomBytes } from 'node:crypto';
import type { Entry } from './core/entry.js';
import { EVERYTHING } from './core/service.js';
import type { Change } from './core/store.js';
import type { Instant } from './core/time.js';
import type { SshPeer } from './host/ssh-peers.js';

/** What lets in for good, until removed, who is logged in over SSH at the set-up. */
export function setupEntry(
  { address, user, how }: SshPeer,
  when: string,
): Pick<Entry, 'target' | 'services' | 'note' | 'source'> {
  const note = `SSH session${user === null ? '' : ` of ${user}`} ${when} (${how})`;
  return { target: address, services: EVERYTHING, note, source: 'setup' };
}

/** The records of those that are not among the entries there are. */
export function setupChanges(peers: readonly SshPeer[], there: readonly Entry[], at: Instant): Change[] {
  const missing = peers.filter(({ address }) => !there.some(({ target }) => target === address));
  return missing.flatMap((peer): Change[] => {
    const wanted = setupEntry(peer, 'at the set-up');
    const entry = { ...wanted, id: `E${randomBytes(4).toString('hex')}`, createdAt: at };
    const { target: address, services, note } = wanted;
    return [
      { kind: 'entry.put', entry },
      { kind: 'journal', event: { at, event: 'entry.added', address, services, detail: note } },
    ];
  });
}
