import type { Host } from './host.js';
import { ancestry, startedWith } from './proc.js';
import { socketsOf } from './sockets.js';
import { isEnd, isSshdSession, parseSshConnection, type SshConnection, servedConnection, sessionUser } from './sshd.js';

/** An SSH session that this process was started in. That it could be proves that the session is authenticated. */
interface OwnSession extends SshConnection {
  readonly user: string | null;
}

/**
 * The SSH sessions above this process, the nearest first: from the sockets of the sshd processes among its ancestors,
 * or, where those are out of reach (another PID namespace, no rights), from SSH_CONNECTION. A program that outlives its
 * session (tmux, screen) keeps the variable, so it counts only while that very connection stands.
 */
export async function ownSessions(host: Host): Promise<readonly OwnSession[]> {
  const chain = await ancestry(host, 'self');
  const sessions: OwnSession[] = [];
  for (const [index, process] of chain.entries()) {
    if (!isSshdSession(process)) continue;
    const connection = await servedConnection(host, process, chain[index - 1]);
    if (connection !== undefined) sessions.push({ ...connection, user: sessionUser(process) });
  }
  if (sessions.length > 0) return sessions;

  const standing = await socketsOf(host, 'self', 'tcp', 'established');
  // sudo drops the variable from what it starts, so the ancestors are asked as well.
  const told = [host.env.SSH_CONNECTION];
  for (const { pid } of chain) told.push(await startedWith(host, pid, 'SSH_CONNECTION'));
  const connection = told
    .map(parseSshConnection)
    .find((end) => end !== undefined && (standing === undefined || standing.some((socket) => isEnd(socket, end))));
  return connection === undefined ? [] : [{ ...connection, user: null }];
}
