import {
  type Address,
  addressBits,
  addressFromBytes,
  covers,
  formatAddress,
  parseAddress,
  parseTarget,
} from '../core/address.js';
import { isSallyportError } from '../core/errors.js';

const LOOPBACK = [parseTarget('127.0.0.0/8'), parseTarget('::1')];

/**
 * Reads an address as other programs write it: the zone of `fe80::1%eth0` is left out, and an IPv4-mapped address
 * becomes the IPv4 address. Undefined for anything else, such as a host name.
 */
export function readAddress(text: string): Address | undefined {
  const bare = text.split('%', 1)[0] ?? '';
  try {
    return parseAddress(bare);
  } catch (error) {
    if (isSallyportError(error, 'SP_ADDRESS_MAPPED')) {
      return formatAddress(4, addressBits(bare as Address) & 0xffff_ffffn);
    }
    return undefined;
  }
}

/** The address in 4 or 16 bytes of network order; an IPv4-mapped one becomes the IPv4 address. */
export function addressOfBytes(bytes: Uint8Array): Address | undefined {
  const mapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (mapped && bytes[10] === 0xff && bytes[11] === 0xff) return addressFromBytes(bytes.subarray(12));
  return addressFromBytes(bytes);
}

export function isLoopback(address: Address): boolean {
  return LOOPBACK.some((range) => covers(range, address));
}
