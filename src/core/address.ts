import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';

/**
 * What can be let in: one address, or a CIDR. The text is canonical (RFC 5952 for IPv6, no host bits, `/32` and `/128`
 * left out), so equal targets are equal strings.
 */
export type Target = Brand<string, 'Target'>;

/** One IPv4 or IPv6 address in canonical text. */
export type Address = Brand<Target, 'Address'>;

export type Family = 4 | 6;

/** An inclusive range of addresses of one family, as numbers. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;
const MAPPED_PREFIX = 0xffffn;

/**
 * Reads one address. Strict on purpose: no leading zeros, no short forms such as 127.1, no zone, no IPv4-mapped IPv6.
 * @throws SP_ADDRESS_INVALID, SP_ADDRESS_MAPPED
 */
export function parseAddress(text: string): Address {
  const value = toNumber(text);
  if (value === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: text });
  if (value.family === 6 && value.bits >> 32n === MAPPED_PREFIX) {
    throw new SallyportError('SP_ADDRESS_MAPPED', { value: text, ipv4: formatIPv4(value.bits & 0xffffffffn) });
  }
  return formatAddress(value.family, value.bits);
}

/**
 * Reads an address or a CIDR. Host bits must be zero: `10.0.0.5/24` is more often a slip than a wish.
 * @throws SP_ADDRESS_INVALID, SP_ADDRESS_MAPPED, SP_PREFIX_INVALID
 */
export function parseTarget(text: string): Target {
  const slash = text.indexOf('/');
  if (slash < 0) return parseAddress(text);
  const address = parseAddress(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  const family = familyOf(address);
  const length = /^(0|[1-9]\d{0,2})$/.test(lengthText) ? Number(lengthText) : -1;
  if (length < 0 || length > BITS[family]) {
    throw new SallyportError('SP_PREFIX_INVALID', {
      value: text,
      problem: `the length goes from 0 to ${BITS[family]}`,
    });
  }
  const bits = addressBits(address);
  const network = networkOf(bits, family, length);
  if (network !== bits) {
    const meant = formatPrefix(family, network, length);
    throw new SallyportError('SP_PREFIX_INVALID', { value: text, problem: `it has host bits; did you mean ${meant}?` });
  }
  return formatPrefix(family, network, length);
}

export function familyOf(target: Target): Family {
  return target.includes(':') ? 6 : 4;
}

export function isAddress(target: Target): target is Address {
  return !target.includes('/');
}

/** The length of the prefix in bits: 32 or 128 for one address. */
export function prefixLength(target: Target): number {
  const slash = target.indexOf('/');
  return slash < 0 ? BITS[familyOf(target)] : Number(target.slice(slash + 1));
}

/** The first and last address of a target. */
export function rangeOf(target: Target): AddressRange {
  const family = familyOf(target);
  const slash = target.indexOf('/');
  const first = addressBits((slash < 0 ? target : target.slice(0, slash)) as Address);
  const hostBits = BigInt(BITS[family] - prefixLength(target));
  return { family, first, last: first | ((1n << hostBits) - 1n) };
}

export function covers(outer: Target, inner: Target): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return a.family === b.family && a.first <= b.first && b.last <= a.last;
}

/** The network of `length` bits that an address lies in, as a target. */
export function networkTarget(address: Address, length: number): Target {
  const family = familyOf(address);
  return formatPrefix(family, networkOf(addressBits(address), family, length), length);
}

/** The /64 of an IPv6 address: what `networkTarget` gives, from the text alone and so many times quicker. */
export function network64(address: Address): Target {
  const gap = address.indexOf('::');
  const head = (gap < 0 ? address : address.slice(0, gap)).split(':', 4);
  if (gap >= 0 && head.length < 4) {
    const tail = address.slice(gap + 2).split(':');
    if (head[0] === '') head.pop();
    const zeros = 8 - head.length - (tail[0] === '' ? 0 : tail.length);
    for (let i = 0; i < zeros && head.length < 4; i++) head.push('0');
    for (let i = 0; head.length < 4; i++) head.push(tail[i] ?? '0');
  }
  let length = 4;
  while (length > 0 && head[length - 1] === '0') length--;
  // The host's half is the longest run of zeros, together with those before it.
  return `${head.slice(0, length).join(':')}::/64` as Target;
}

/** The address as a number, most significant bit first. */
export function addressBits(address: Address): bigint {
  const value = toNumber(address);
  if (value === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: address });
  return value.bits;
}

/** The address in network byte order: 4 or 16 bytes. */
export function addressBytes(address: Address): Uint8Array {
  const size = BITS[familyOf(address)] / 8;
  const bytes = new Uint8Array(size);
  let bits = addressBits(address);
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(bits & 0xffn);
    bits >>= 8n;
  }
  return bytes;
}

/** The address that 4 or 16 bytes in network byte order spell; undefined for any other length. */
export function addressFromBytes(bytes: Uint8Array): Address | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  return formatAddress(bytes.length === 4 ? 4 : 6, bits);
}

export function formatAddress(family: Family, bits: bigint): Address {
  return (family === 4 ? formatIPv4(bits) : formatIPv6(bits)) as Address;
}

/**
 * Why an address may never be let in, or undefined where it may. `own` are the host's own addresses.
 * Ranges by RFC 6890 and RFC 4291.
 */
export function neverAllowed(target: Target, own: ReadonlySet<Address>): string | undefined {
  const { family, first, last } = rangeOf(target);
  for (const [name, range] of FORBIDDEN) {
    if (range.family === family && first <= range.last && range.first <= last && prefixLength(target) > 0) return name;
  }
  if (isAddress(target) && own.has(target)) return "the host's own address";
  return undefined;
}

/** Only bytes off the wire can be one: the parser refuses them. */
const MAPPED = [
  'an IPv4 address in IPv6 clothes',
  { family: 6, first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn },
] as const;

const FORBIDDEN: readonly (readonly [string, AddressRange])[] = [
  ...(
    [
      ['the unspecified address', '0.0.0.0/8'],
      ['a loopback address', '127.0.0.0/8'],
      ['a multicast address', '224.0.0.0/4'],
      ['the broadcast address', '255.255.255.255'],
      ['a reserved address', '240.0.0.0/4'],
      ['the unspecified address', '::'],
      ['a loopback address', '::1'],
      ['a multicast address', 'ff00::/8'],
    ] as const
  ).map(([name, text]) => [name, rangeOf(parseTarget(text))] as const),
  MAPPED,
];

function networkOf(bits: bigint, family: Family, length: number): bigint {
  const hostBits = BigInt(BITS[family] - length);
  return (bits >> hostBits) << hostBits;
}

function formatPrefix(family: Family, network: bigint, length: number): Target {
  const address = formatAddress(family, network);
  return length === BITS[family] ? address : (`${address}/${length}` as Target);
}

function toNumber(text: string): { family: Family; bits: bigint } | undefined {
  if (text.length > 45) return undefined;
  if (text.includes(':')) {
    const bits = ipv6ToNumber(text);
    return bits === undefined ? undefined : { family: 6, bits };
  }
  const bits = ipv4ToNumber(text);
  return bits === undefined ? undefined : { family: 4, bits };
}

function ipv4ToNumber(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let bits = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

/** RFC 4291, section 2.2: eight groups, one `::` for a run of zeros, the last 32 bits perhaps in dotted form. */
function ipv6ToNumber(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let bits = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) bits = (bits << 16n) | BigInt(group);
  return bits;
}

function groups(text: string, mayEndInIPv4: boolean): number[] | undefined {
  if (text === '') return [];
  const result: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (mayEndInIPv4 && index === parts.length - 1 && part.includes('.')) {
      const low = ipv4ToNumber(part);
      if (low === undefined) return undefined;
      result.push(Number(low >> 16n), Number(low & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      result.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return result;
}

function formatIPv4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.');
}

/** RFC 5952: lower case, no leading zeros, `::` for the longest run (the first of equals) of two groups or more. */
function formatIPv6(bits: bigint): string {
  const parts = Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && parts[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = parts.map((part) => part.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}
