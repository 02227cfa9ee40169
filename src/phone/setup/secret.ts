import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { SallyportError } from '../../core/errors.js';
import { readTextIfThere } from './conf-tree.js';

/** A secret as it can stand in a file of Asterisk: no blank, no `;`, nothing that it could take for its own. */
const FIT = /^[A-Za-z0-9_.~+/=-]{16,128}$/;

export interface SecretFile {
  readonly file: string;
  readonly secret: string;
  /** True where it has to be written, or made readable by its owner alone. */
  readonly isNew: boolean;
  readonly isTooOpen: boolean;
}

/** The secret in a file, or a new one where there is no file. @throws SP_PHONE_SECRET where it is one that Asterisk cannot take */
export async function secretIn(file: string): Promise<SecretFile> {
  const text = await readTextIfThere(file);
  if (text === undefined || text.trim() === '') {
    return { file, secret: randomBytes(30).toString('base64url'), isNew: true, isTooOpen: false };
  }
  const secret = text.replace(/\r?\n$/, '');
  if (!FIT.test(secret)) throw new SallyportError('SP_PHONE_SECRET', { file });
  return { file, secret, isNew: false, isTooOpen: ((await stat(file)).mode & 0o077) !== 0 };
}
