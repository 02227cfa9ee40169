/**
 * The quick way to what an early opening needs of a packet that was logged: the plain case alone, read in one pass and
 * without copies. Everything else is for decodePackets, which reads it all.
 */
import { PROTOCOL_NUMBER } from '../core/ports.js';
import { HOST_LITTLE_ENDIAN } from './message.js';
import { ETHERTYPE, NFULA_MARK, NFULA_PACKET_HDR, NFULA_PAYLOAD, NFULNL_MSG_PACKET } from './nflog.js';

export interface LoggedKnock {
  /** The packet's mark when it met the rule. */
  readonly mark: number;
  /** The address that it came from, in network order: a view of the datagram. */
  readonly source: Uint8Array;
}

/** nlmsghdr and nfgenmsg. */
const HEADERS_SIZE = 20;
const ATTRIBUTE_HEADER_SIZE = 4;
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const IPV4_HEADER_SIZE = 20;
const IPV6_HEADER_SIZE = 40;
/** Version 4, and a header of five words: no options. */
const PLAIN_IPV4 = 0x45;
const FRAGMENT_OFFSET_MASK = 0x1fff;
/** Of UDP; of TCP as much as is read of it. */
const TRANSPORT_SIZE = 8;

/**
 * Reads a datagram of the log group that holds one message about one TCP or UDP packet, whole, without IP options or
 * extension headers. Whatever it reads, decodePackets reads as one packet with this mark and source.
 * @returns undefined for every other datagram
 */
export function readKnock(datagram: Uint8Array): LoggedKnock | undefined {
  const size = datagram.length;
  if (size < HEADERS_SIZE) return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset, size);
  if (view.getUint32(0, HOST_LITTLE_ENDIAN) !== size) return undefined;
  if (view.getUint16(4, HOST_LITTLE_ENDIAN) !== NFULNL_MSG_PACKET) return undefined;
  let etherType = 0;
  let mark: number | undefined;
  let network = 0;
  let networkSize = 0;
  let offset = HEADERS_SIZE;
  while (offset < size) {
    if (size - offset < ATTRIBUTE_HEADER_SIZE) return undefined;
    const length = view.getUint16(offset, HOST_LITTLE_ENDIAN);
    const type = view.getUint16(offset + 2, HOST_LITTLE_ENDIAN) & ATTRIBUTE_TYPE_MASK;
    if (length < ATTRIBUTE_HEADER_SIZE || length > size - offset) return undefined;
    const [value, valueSize] = [offset + ATTRIBUTE_HEADER_SIZE, length - ATTRIBUTE_HEADER_SIZE];
    if (type === NFULA_PACKET_HDR) {
      if (etherType !== 0 || valueSize < 2) return undefined;
      etherType = view.getUint16(value);
    } else if (type === NFULA_MARK) {
      if (mark !== undefined || valueSize !== 4) return undefined;
      mark = view.getUint32(value);
    } else if (type === NFULA_PAYLOAD) {
      if (network !== 0) return undefined;
      network = value;
      networkSize = valueSize;
    }
    offset += (length + 3) & ~3;
  }
  if (mark === undefined || network === 0) return undefined;
  if (etherType === ETHERTYPE[4]) return ipv4(datagram, view, network, networkSize, mark);
  if (etherType === ETHERTYPE[6]) return ipv6(datagram, view, network, networkSize, mark);
  return undefined;
}

function ipv4(bytes: Uint8Array, view: DataView, at: number, size: number, mark: number): LoggedKnock | undefined {
  if (size < IPV4_HEADER_SIZE + TRANSPORT_SIZE || bytes[at] !== PLAIN_IPV4) return undefined;
  if (view.getUint16(at + 2) < IPV4_HEADER_SIZE + TRANSPORT_SIZE) return undefined;
  if ((view.getUint16(at + 6) & FRAGMENT_OFFSET_MASK) !== 0) return undefined;
  if (!isTransport(view, bytes[at + 9], at + IPV4_HEADER_SIZE)) return undefined;
  return { mark, source: bytes.subarray(at + 12, at + 16) };
}

function ipv6(bytes: Uint8Array, view: DataView, at: number, size: number, mark: number): LoggedKnock | undefined {
  if (size < IPV6_HEADER_SIZE + TRANSPORT_SIZE || (bytes[at] ?? 0) >> 4 !== 6) return undefined;
  if (view.getUint16(at + 4) < TRANSPORT_SIZE) return undefined;
  if (!isTransport(view, bytes[at + 6], at + IPV6_HEADER_SIZE)) return undefined;
  return { mark, source: bytes.subarray(at + 8, at + 24) };
}

/** TCP or UDP to a port; UDP whose length can be true. */
function isTransport(view: DataView, protocol: number | undefined, at: number): boolean {
  if (view.getUint16(at + 2) === 0) return false;
  if (protocol === PROTOCOL_NUMBER.tcp) return true;
  return protocol === PROTOCOL_NUMBER.udp && view.getUint16(at + 4) >= TRANSPORT_SIZE;
}
