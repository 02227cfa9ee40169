import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { type Family, familyOf, parseAddress } from '../core/address.js';
import { SallyportError } from '../core/errors.js';

/** The machine to knock on: a literal address (IPv6 perhaps with a zone) or a name that is still to be looked up. */
export type KnockHost =
  | { readonly kind: 'address'; readonly text: string; readonly family: Family }
  | { readonly kind: 'name'; readonly text: string };

/** One address that packets can be sent to; an IPv6 link-local one carries its zone. */
export interface Destination {
  readonly address: string;
  readonly family: Family;
}

const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*\\.?$`);

/**
 * Reads an IPv4 or IPv6 address or a host name (an international one becomes its ASCII form). A name never begins with a
 * dash and never ends in a number, so it can be neither an option nor one of the short forms of IPv4 such as 127.1.
 * @throws SP_ADDRESS_INVALID, SP_ADDRESS_MAPPED, SP_CLIENT_HOST_INVALID
 */
export function parseHost(text: string): KnockHost {
  if (text.includes(':')) return parseIPv6(text);
  if (/^[\d.]+$/.test(text)) return { kind: 'address', text: parseAddress(text), family: 4 };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
  const name = /^[\u0000-\u007f]*$/.test(text) ? text : domainToASCII(text);
  const last = name.replace(/\.$/, '').split('.').at(-1) ?? '';
  if (!HOST_NAME.test(name) || /^(\d+|0x[\da-f]*)$/i.test(last)) {
    throw new SallyportError('SP_CLIENT_HOST_INVALID', { value: text });
  }
  return { kind: 'name', text: name };
}

/** The text of a host that is safe to put into a command line or script; undefined where it is none, or has a zone. */
export function printableHost(text: string): string | undefined {
  try {
    const host = parseHost(text);
    return host.text.includes('%') ? undefined : host.text;
  } catch {
    return undefined;
  }
}

/** RFC 4007, section 11: a zone follows the address after a percent sign; it has a meaning for link-local ones only. */
function parseIPv6(text: string): KnockHost {
  const [head = '', zone, ...more] = text.split('%');
  const address = parseAddress(head);
  if (familyOf(address) === 4) throw new SallyportError('SP_ADDRESS_INVALID', { value: text });
  const linkLocal = /^fe[89ab]/.test(address);
  if (zone === undefined) {
    if (linkLocal) throw new SallyportError('SP_CLIENT_ZONE_MISSING', { value: address });
    return { kind: 'address', text: address, family: 6 };
  }
  const full = `${address}%${zone}`;
  if (!linkLocal || more.length > 0 || !/^[A-Za-z0-9._-]{1,32}$/.test(zone) || !isIPv6(full)) {
    throw new SallyportError('SP_ADDRESS_INVALID', { value: text });
  }
  return { kind: 'address', text: full, family: 6 };
}
