import { parseTarget, type Target } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import { type HostName, parseHostName } from '../core/names/host-name.js';

export type TargetOrName =
  | { readonly target: Target; readonly name?: undefined }
  | { readonly target?: undefined; readonly name: HostName };

/**
 * Reads what an operator wants to let in. A word without a dot is more often somebody's name than a host's, so a host name
 * has to be a full one. What has letters that no address has (`https://home.example.org`) is told as a name that is none.
 * @throws SP_HOST_NAME_INVALID, SP_ADDRESS_INVALID, SP_ADDRESS_MAPPED, SP_PREFIX_INVALID
 */
export function parseTargetOrName(text: string): TargetOrName {
  const isWord = /[g-z]/i.test(text.replace(/%.*/, ''));
  if ((!isWord && /[:/]/.test(text)) || /^[0-9.-]*$/.test(text)) return { target: parseTarget(text) };
  const name = parseHostName(text);
  if (name.includes('.')) return { name };
  throw new SallyportError('SP_HOST_NAME_INVALID', { value: text, problem: 'it has no dot; give the full name' });
}
