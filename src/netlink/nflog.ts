/**
 * NFLOG: packets that a log rule hands to a group (linux/netfilter/nfnetlink_log.h).
 */
import { type Address, addressFromBytes, type Family } from '../core/address.js';
import { type Port, PROTOCOL_NUMBER, type Protocol } from '../core/ports.js';
import {
  decodeMessages,
  decodeNetfilterBody,
  findAttribute,
  MessageWriter,
  NFPROTO_UNSPEC,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readU16,
  readU32,
} from './message.js';

export interface LoggedPacket {
  readonly family: Family;
  readonly source: Address;
  readonly protocol: Protocol;
  readonly destinationPort: Port;
  /** The packet's mark when it met the rule. */
  readonly mark: number;
  /** What a UDP datagram carries, as far as it was copied; empty for TCP. A copy. */
  readonly payload: Uint8Array;
}

const NFNL_SUBSYS_ULOG = 4 << 8;
export const NFULNL_MSG_PACKET = NFNL_SUBSYS_ULOG | 0;
const NFULNL_MSG_CONFIG = NFNL_SUBSYS_ULOG | 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULA_CFG_TIMEOUT = 4;
const NFULA_CFG_QTHRESH = 5;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
export const NFULA_PACKET_HDR = 1;
export const NFULA_MARK = 2;
export const NFULA_PAYLOAD = 9;

export const ETHERTYPE = { 4: 0x0800, 6: 0x86dd } as const;
const NO_PAYLOAD = new Uint8Array(0);

/**
 * Asks for the packets of a group, each at once (a queue of one) and `copyBytes` of it from the IP header on. Several
 * packets of one datagram would come only from rules that ask for a longer queue; 10 ms is then the longest wait.
 */
export function encodeNflogBind(group: number, copyBytes: number): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter();
  writer.beginMessage(NFULNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, 1, NFPROTO_UNSPEC, group);
  writer.u8(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND);
  const mode = new Uint8Array(6);
  new DataView(mode.buffer).setUint32(0, copyBytes);
  mode[4] = NFULNL_COPY_PACKET;
  writer.bytes(NFULA_CFG_MODE, mode);
  writer.u32(NFULA_CFG_QTHRESH, 1);
  writer.u32(NFULA_CFG_TIMEOUT, 1);
  writer.endMessage();
  return writer.finish();
}

/** The TCP and UDP packets in a datagram from a log group; what is something else, or malformed, is left out. */
export function decodePackets(datagram: Uint8Array): LoggedPacket[] {
  const packets: LoggedPacket[] = [];
  for (const { type, body } of decodeMessages(datagram)) {
    const packet = type === NFULNL_MSG_PACKET ? decodePacket(body) : undefined;
    if (packet !== undefined) packets.push(packet);
  }
  return packets;
}

/** @param body what follows nlmsghdr in an NFULNL_MSG_PACKET */
export function decodePacket(body: Uint8Array): LoggedPacket | undefined {
  const decoded = decodeNetfilterBody(body);
  if (decoded === undefined) return undefined;
  const network = findAttribute(decoded.attributes, NFULA_PAYLOAD);
  const etherType = readU16(findAttribute(decoded.attributes, NFULA_PACKET_HDR));
  const markAttribute = findAttribute(decoded.attributes, NFULA_MARK);
  // The kernel leaves a mark of 0 out.
  const mark = markAttribute === undefined ? 0 : readU32(markAttribute);
  if (network === undefined || mark === undefined) return undefined;
  const packet = etherType === ETHERTYPE[4] ? ipv4(network) : etherType === ETHERTYPE[6] ? ipv6(network) : undefined;
  return packet && transport(packet, mark);
}

interface NetworkPacket {
  readonly family: Family;
  readonly source: Uint8Array;
  readonly protocolNumber: number;
  readonly segment: Uint8Array;
}

/**
 * RFC 791.
 *
 *   0       1       2               4                        8       9               12
 *   +---+---+-------+---------------+------------------------+-------+-------+-------+--------+---
 *   | 4 |IHL| TOS   | total length  | id, flags and offset   | TTL   | proto | sum   | source | ..
 *   +---+---+-------+---------------+------------------------+-------+-------+-------+--------+---
 */
function ipv4(bytes: Uint8Array): NetworkPacket | undefined {
  const first = bytes[0] ?? 0;
  const headerSize = (first & 0xf) * 4;
  const totalLength = readU16(bytes.subarray(2, 4)) ?? 0;
  const fragmentOffset = (readU16(bytes.subarray(6, 8)) ?? 0) & 0x1fff;
  if (first >> 4 !== 4 || headerSize < 20 || bytes.length < headerSize || totalLength < headerSize) return undefined;
  if (fragmentOffset !== 0) return undefined;
  const segment = bytes.subarray(headerSize, totalLength);
  return { family: 4, source: bytes.subarray(12, 16), protocolNumber: bytes[9] ?? 0, segment };
}

const IPV6_HEADER_SIZE = 40;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, destination options: a next header and a length in units of 8 bytes beyond the first 8. */
const OPTIONS: ReadonlySet<number> = new Set([0, 43, 60]);

/**
 * RFC 8200. The transport header follows after any number of extension headers.
 *
 *   0               4       6      7      8            24                 40
 *   +---+-----------+-------+------+------+------------+------------------+----
 *   | 6 | class,    | length| next | hops | source     | destination      | ...
 *   +---+-----------+-------+------+------+------------+------------------+----
 */
function ipv6(bytes: Uint8Array): NetworkPacket | undefined {
  if (bytes.length < IPV6_HEADER_SIZE || (bytes[0] ?? 0) >> 4 !== 6) return undefined;
  const end = IPV6_HEADER_SIZE + (readU16(bytes.subarray(4, 6)) ?? 0);
  let offset = IPV6_HEADER_SIZE;
  let next = bytes[6] ?? 0;
  while (OPTIONS.has(next) || next === FRAGMENT || next === AUTHENTICATION) {
    const length = bytes[offset + 1];
    if (length === undefined) return undefined;
    const fragmentOffset = next === FRAGMENT ? readU16(bytes.subarray(offset + 2, offset + 4)) : 0;
    if (fragmentOffset === undefined || fragmentOffset >> 3 !== 0) return undefined;
    const size = next === FRAGMENT ? 8 : next === AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
    next = bytes[offset] ?? 0;
    offset += size;
  }
  return { family: 6, source: bytes.subarray(8, 24), protocolNumber: next, segment: bytes.subarray(offset, end) };
}

/** Source port, destination port; then, in UDP, the length with its header of 8 bytes (RFC 768). */
function transport({ family, source, protocolNumber, segment }: NetworkPacket, mark: number): LoggedPacket | undefined {
  const address = addressFromBytes(source);
  const destinationPort = readU16(segment.subarray(2, 4)) ?? 0;
  if (address === undefined || destinationPort === 0) return undefined;
  const packet = { family, source: address, destinationPort: destinationPort as Port, mark };
  if (protocolNumber === PROTOCOL_NUMBER.tcp) return { ...packet, protocol: 'tcp', payload: NO_PAYLOAD };
  const length = readU16(segment.subarray(4, 6)) ?? 0;
  if (protocolNumber !== PROTOCOL_NUMBER.udp || segment.length < 8 || length < 8) return undefined;
  return { ...packet, protocol: 'udp', payload: segment.slice(8, length) };
}
