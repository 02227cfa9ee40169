import { embeddedIPv4, formatGroups, ipv4ToNumber, ipv6Groups, isMapped } from './address-text.js';
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

/**
 * Reads one address. Strict on purpose: no leading zeros, no short forms such as 127.1, no zone, no IPv4-mapped IPv6.
 * @throws SP_ADDRESS_INVALID, SP_ADDRESS_MAPPED
 */
export function parseAddress(text: string): Address {
  if (!text.includes(':')) {
    // Read so strictly, the text is canonical.
    if (ipv4ToNumber(text) === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: text });
    return text as Address;
  }
  const groups = ipv6Groups(text);
  if (groups === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: text });
  if (isMapped(groups)) throw new SallyportError('SP_ADDRESS_MAPPED', { value: text, ipv4: embeddedIPv4(groups) });
  return formatGroups(groups) as Address;
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
  const network = networkTarget(address, length);
  if (networkAddress(network) !== address) {
    throw new SallyportError('SP_PREFIX_INVALID', {
      value: text,
      problem: `it has host bits; did you mean ${network}?`,
    });
  }
  return network;
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
  const first = addressBits(networkAddress(target));
  if (isAddress(target)) return { family, first, last: first };
  const hostBits = BigInt(BITS[family] - prefixLength(target));
  return { family, first, last: first | ((1n << hostBits) - 1n) };
}

export function covers(outer: Target, inner: Target): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return a.family === b.family && a.first <= b.first && b.last <= a.last;
}

/** The network of `length` bits that an address lies in, as a target. */
export function networkTarget(address: Address, length: number): Target {
  const bytes = addressBytes(address);
  const size = bytes.length * 8;
  if (length === size) return address;
  const whole = length >> 3;
  bytes[whole] = (bytes[whole] ?? 0) & (0xff00 >> (length & 7));
  bytes.fill(0, whole + 1);
  return `${formatBytes(bytes)}/${length}` as Target;
}

/** Every target that an address lies in: the networks of all lengths, and the address itself as the last. */
export function coveringTargets(address: Address): Target[] {
  return Array.from({ length: BITS[familyOf(address)] + 1 }, (_, length) => networkTarget(address, length));
}

/** The address itself, or the first of a network. */
function networkAddress(target: Target): Address {
  const slash = target.indexOf('/');
  return (slash < 0 ? target : target.slice(0, slash)) as Address;
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
  const bits = ipv4ToNumber(address);
  return bits === undefined ? readBits(addressBytes(address)) : BigInt(bits);
}

/** The number that bytes in network byte order spell. */
export function readBits(bytes: Uint8Array): bigint {
  let bits = 0n;
  for (let i = 0; i < bytes.length; i += 4) bits = (bits << 32n) | BigInt(word(bytes, i));
  return bits;
}

/** An address as a number in network byte order: 4 or 16 bytes. */
export function formatBits(family: Family, bits: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BITS[family] / 8);
  // No DataView: it would take the bytes out of the young heap, which costs ten times as much.
  for (let i = bytes.length - 4, rest = bits; i >= 0; i -= 4, rest >>= 32n) {
    const part = Number(rest & 0xffff_ffffn);
    bytes[i] = part >>> 24;
    bytes[i + 1] = part >>> 16;
    bytes[i + 2] = part >>> 8;
    bytes[i + 3] = part;
  }
  return bytes;
}

function word(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** The address in network byte order: 4 or 16 bytes. */
export function addressBytes(address: Address): Uint8Array<ArrayBuffer> {
  if (!address.includes(':')) {
    const bits = ipv4ToNumber(address);
    if (bits === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: address });
    return new Uint8Array([bits >>> 24, bits >>> 16, bits >>> 8, bits]);
  }
  const groups = ipv6Groups(address);
  if (groups === undefined) throw new SallyportError('SP_ADDRESS_INVALID', { value: address });
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    const group = groups[i] ?? 0;
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group;
  }
  return bytes;
}

/** The address that 4 or 16 bytes in network byte order spell; undefined for any other length. */
export function addressFromBytes(bytes: Uint8Array): Address | undefined {
  return bytes.length === 4 || bytes.length === 16 ? formatBytes(bytes) : undefined;
}

export function formatAddress(family: Family, bits: bigint): Address {
  return formatBytes(formatBits(family, bits));
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

function formatBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  return formatGroups(groups) as Address;
}
