import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SallyportError } from '../../core/errors.js';
import type { FileChange } from './plan.js';

/** What became of a file. */
export interface Written {
  readonly path: string;
  readonly did: 'made' | 'changed' | 'rights';
  /** The copy of what was there before. */
  readonly backup: string | null;
}

/**
 * Writes one file, whole or not at all, and keeps what was there before beside it, as `FILE.sallyport-STAMP`. A file that was there
 * keeps its owner and its rights; one that a link points to is written where it lies. @throws SP_PHONE_FILE
 */
export async function write(change: FileChange, stamp: string): Promise<Written> {
  try {
    if (change.content === undefined) {
      await chmod(change.path, change.rights?.mode ?? 0o600);
      return { path: change.path, did: 'rights', backup: null };
    }
    if (change.isNew) await makeFolders(change);
    const path = change.isNew ? change.path : await realpath(change.path);
    const before = change.isNew ? undefined : await stat(path);
    const backup = before === undefined ? null : await keep(path, before, stamp);
    const mode = change.rights?.mode ?? (before?.mode ?? 0o640) & 0o777;
    const owner = before === undefined ? undefined : before.uid;
    const group = before === undefined ? (change.rights?.group ?? undefined) : before.gid;
    await replace(path, change.content, mode, owner, group);
    return { path: change.path, did: before === undefined ? 'made' : 'changed', backup };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SallyportError('SP_PHONE_FILE', { file: change.path, problem: `it cannot be written (${code})` }, error);
  }
}

/** Folders that are missing: as open as the file itself, and of the same group. */
async function makeFolders({ path, rights }: FileChange): Promise<void> {
  const folder = dirname(path);
  const mode = rights === null || rights.mode === 0o600 ? 0o755 : rights.mode | ((rights.mode & 0o444) >> 2);
  const first = await mkdir(folder, { recursive: true, mode });
  if (first === undefined) return;
  await chmod(folder, mode);
  if (rights?.group != null && process.getuid?.() === 0) await chown(folder, process.getuid(), rights.group);
}

async function keep(path: string, before: { mode: number; uid: number; gid: number }, stamp: string): Promise<string> {
  for (let turn = 0; ; turn += 1) {
    const backup = `${path}.sallyport-${stamp}${turn === 0 ? '' : `-${turn}`}`;
    try {
      await copyFile(path, backup, constants.COPYFILE_EXCL);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST' && turn < 100) continue;
      throw error;
    }
    await chmod(backup, before.mode & 0o777);
    if (process.getuid?.() === 0) await chown(backup, before.uid, before.gid);
    return backup;
  }
}

async function replace(path: string, content: Buffer, mode: number, uid = -1, gid = -1): Promise<void> {
  const part = `${path}.sallyport-new`;
  await rm(part, { force: true });
  const handle = await open(part, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    if (process.getuid?.() === 0 && (uid !== -1 || gid !== -1)) await handle.chown(uid, gid);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, path);
}
