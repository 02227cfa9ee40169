import { open } from 'node:fs/promises';
import { SallyportError } from '../core/errors.js';

/** The text of a file of at most so many bytes. @throws SP_IMPORT_FILE where there is none, or more */
export async function readBounded(file: string, most: number): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of handle.createReadStream({ autoClose: false })) {
        size += (piece as Buffer).length;
        if (size > most)
          throw new SallyportError('SP_IMPORT_FILE', { file, problem: `it is larger than ${most >> 20} MB` });
        pieces.push(piece as Buffer);
      }
      return Buffer.concat(pieces).toString('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new SallyportError('SP_IMPORT_FILE', { file, problem: WORDS[code] ?? `it cannot be read (${code})` }, error);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
};
