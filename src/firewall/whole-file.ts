import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { SallyportError } from '../core/errors.js';

/**
 * Writes a file of the state directory as a whole or not at all; readable by its owner alone.
 * @throws SP_STORE_FULL, SP_STATE_UNWRITABLE
 */
export async function writeWhole(directory: string, name: string, text: string): Promise<void> {
  try {
    const temporary = join(directory, `.${name}.new`);
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(directory, name));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new SallyportError('SP_STORE_FULL', { directory }, error);
    throw new SallyportError('SP_STATE_UNWRITABLE', { directory, problem: `${name} was not written (${code})` }, error);
  }
}
