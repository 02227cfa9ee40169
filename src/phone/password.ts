import { open } from 'node:fs/promises';
import { PbxError } from './session.js';

const LONGEST = 256;

/**
 * Reads the password of a login from its file: the first line. Read at each connection, so that a new one needs no restart.
 * @throws PbxError `refused` where it cannot be read, or others may read it
 */
export async function readPassword(file: string): Promise<string> {
  const refuse = (problem: string, fix: string, cause?: unknown): PbxError =>
    new PbxError('refused', `the password file ${file} ${problem}; ${fix}`, cause);
  try {
    await using handle = await open(file);
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) throw refuse('can be read by others', `run: chmod 600 ${file}`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST + 1), 0, LONGEST + 1, 0);
    const password = buffer.toString('utf8', 0, bytesRead).split('\n')[0]?.trimEnd() ?? '';
    if (bytesRead > LONGEST || !/^[\x20-\x7e]+$/.test(password))
      throw refuse('holds no password', 'sallyport phone install makes one');
    return password;
  } catch (error) {
    if (error instanceof PbxError) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw refuse(isMissing ? 'is not there' : 'cannot be read', 'sallyport phone install makes one', error);
  }
}
