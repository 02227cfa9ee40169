import { type Host, plain } from './host.js';

/** An SSH session as systemd-logind knows it. */
interface LogindSession {
  readonly user: string;
  readonly remoteHost: string;
  /** The process that opened it: sshd's monitor. 0 where logind does not say. */
  readonly leader: number;
}

const PROPERTIES = ['Remote', 'RemoteHost', 'Service', 'State', 'Name', 'Leader'];

/** The SSH sessions of logind whose connection still stands; none where there is no logind. */
export async function logindSshSessions(host: Host): Promise<readonly LogindSession[]> {
  const list = await host.run('loginctl', ['list-sessions', '--no-legend']);
  const ids = (list ?? '').split('\n').flatMap((line) => /^\s*([A-Za-z0-9_-]+)\s/.exec(line)?.[1] ?? []);
  const sessions: LogindSession[] = [];
  for (const id of ids) {
    const shown = await host.run('loginctl', ['show-session', id, ...PROPERTIES.flatMap((name) => ['-p', name])]);
    const session = parseSession(shown ?? '');
    if (session !== undefined) sessions.push(session);
  }
  return sessions;
}

/**
 * Reads the properties of one session. sshd opens it through PAM, after authentication. A session that is `closing` has
 * lost its connection: only what it left running is still there.
 */
export function parseSession(text: string): LogindSession | undefined {
  const properties = new Map(
    text.split('\n').map((line) => {
      const equals = line.indexOf('=');
      return [line.slice(0, equals), line.slice(equals + 1).trim()];
    }),
  );
  if (properties.get('Remote') !== 'yes' || properties.get('Service') !== 'sshd') return undefined;
  if (!['active', 'online'].includes(properties.get('State') ?? '')) return undefined;
  return {
    user: plain(properties.get('Name') ?? ''),
    remoteHost: properties.get('RemoteHost') ?? '',
    leader: Number(properties.get('Leader')) || 0,
  };
}
