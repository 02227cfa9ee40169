import { chmod, chown, lstat, mkdir, readFile, stat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { SallyportError } from '../core/errors.js';
import type { ControlLog } from './log.js';

/** The longest path that fits `sun_path` with its final zero (unix(7)); a longer one would be cut off silently. */
const LONGEST_PATH = 107;
const BACKLOG = 128;
const PROBE_LIMIT = 1000;

/**
 * Listens on a Unix socket of mode 0660, of the given group where there is one. The file is never wider than that, and
 * nobody but its owner may connect before it has its group. Its directory is made where it is missing (0755). What a dead
 * daemon left there is replaced.
 * @throws SP_CONTROL_BUSY where another daemon answers on it, SP_CONTROL_SOCKET
 */
export async function listenOnSocket(server: Server, socket: string, group: string, log: ControlLog): Promise<void> {
  if (Buffer.byteLength(socket) > LONGEST_PATH) {
    throw new SallyportError('SP_CONTROL_SOCKET', { socket, problem: `its path is longer than ${LONGEST_PATH} bytes` });
  }
  try {
    await makeDirectory(dirname(socket));
    await clearStale(socket);
    await bind(server, socket);
    await giveTo(group, socket, log);
    await chmod(socket, 0o660);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    if (codeOf(error) === 'EADDRINUSE') throw new SallyportError('SP_CONTROL_BUSY', { socket }, error);
    throw new SallyportError('SP_CONTROL_SOCKET', { socket, problem: inWords(error) }, error);
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first !== undefined) await chmod(path, 0o755);
}

async function clearStale(socket: string): Promise<void> {
  const found = await lstat(socket).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new SallyportError('SP_CONTROL_SOCKET', { socket, problem: 'something that is no socket lies there' });
  }
  if (await answers(socket)) throw new SallyportError('SP_CONTROL_BUSY', { socket });
  await unlink(socket);
}

/** Only a refused connection proves that nobody listens; a full backlog or silence means somebody does. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect({ path: socket });
    const settle = (verdict: boolean) => {
      probe.destroy();
      resolve(verdict);
    };
    probe.setTimeout(PROBE_LIMIT, () => settle(true));
    probe.once('connect', () => settle(true));
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') settle(false);
      else if (error.code === 'EAGAIN') settle(true);
      else reject(error);
    });
  });
}

/** The file is made within the call of `listen`, so the umask holds for it and for nothing else of this thread. */
async function bind(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    const before = process.umask(0o177);
    try {
      server.listen({ path: socket, backlog: BACKLOG });
    } finally {
      process.umask(before);
    }
  });
}

/** A socket that has its group already is left alone: under systemd we may not give files away. */
async function giveTo(group: string, socket: string, log: ControlLog): Promise<void> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((text) => text.startsWith(`${group}:`));
  const gid = Number(line?.split(':')[2]);
  if (!Number.isInteger(gid) || (await stat(socket)).gid === gid) return;
  await chown(socket, -1, gid).catch((error: unknown) => {
    log.warn({ err: error, group }, 'the control socket could not be given to its group');
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EEXIST: 'its directory is a file',
  ENOTDIR: 'a part of its path is no directory',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

function inWords(error: unknown): string {
  const code = codeOf(error);
  return WORDS[code ?? ''] ?? code ?? 'it failed';
}
