import type { Brand } from '../brand.js';
import { SallyportError } from '../errors.js';

/** A host name in lower case, without a trailing dot: letters, digits and inner dashes in labels (RFC 1123, section 2.1). */
export type HostName = Brand<string, 'HostName'>;

const LONGEST = 253;
const LONGEST_LABEL = 63;
const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
/** What resolvers, too, take for an IPv4 address in one of its odd forms: `1.2.3`, `10.0.0.0x1`. */
const NUMBER = /^(\d+|0x[0-9a-f]*)$/;

/**
 * Reads a host name. International names are taken in their xn-- form alone: letters that only look alike would otherwise
 * let in somebody else.
 * @throws SP_HOST_NAME_INVALID
 */
export function parseHostName(text: string): HostName {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase();
  const strange = beyondAscii(text);
  const problem =
    strange === undefined ? problemOf(name) : `${strange} is beyond ASCII; type it anew, or write its xn-- form`;
  if (problem !== undefined) throw new SallyportError('SP_HOST_NAME_INVALID', { value: text, problem });
  return name as HostName;
}

function problemOf(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > LONGEST) return `it is longer than ${LONGEST} characters`;
  const labels = name.split('.');
  if (labels.some((label) => label.length > LONGEST_LABEL)) {
    return `a part between its dots is longer than ${LONGEST_LABEL} characters`;
  }
  if (!labels.every((label) => LABEL.test(label)))
    return 'it takes letters, digits and inner dashes, with dots between';
  if (NUMBER.test(labels.at(-1) ?? '')) return 'its last part is a number, as in an address';
  return undefined;
}

/**
 * The first character that is none of ASCII, by its number too: it may look like another. Before anything else: there are letters,
 * such as the Kelvin sign, that become ASCII in lower case.
 */
function beyondAscii(text: string): string | undefined {
  const letter = /\P{ASCII}/u.exec(text)?.[0];
  if (letter === undefined) return undefined;
  return `the "${letter}" (U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')})`;
}
