import { addressBytes, parseAddress } from '#dist/core/address.js';

/** TCP flags as they stand in the header (RFC 9293, section 3.1). */
export const FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const;

export interface PacketOptions {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly sourcePort?: number;
  /** TCP only; SYN by default. */
  readonly flags?: number;
  readonly payload?: Uint8Array;
}

/** A whole IP packet in hex, as LabHost.raw sends it: the source may be anybody's. */
export function packet(options: PacketOptions): string {
  const { payload = new Uint8Array(), sourcePort = 40_000 } = options;
  const isTcp = options.protocol === 'tcp';
  const header = isTcp ? tcpHeader(options.flags ?? FLAGS.syn) : udpHeader(payload.length);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(options.port, 2);
  const segment = Buffer.concat([header, payload]);
  const { source, destination, number } = ends(options);
  const pseudo = Buffer.from([0, number, segment.length >> 8, segment.length & 255]);
  const sum = checksum(Buffer.concat([source, destination, pseudo, segment]));
  segment.writeUInt16BE(sum === 0 ? 0xffff : sum, isTcp ? 16 : 6);
  return around(options, segment);
}

export interface IcmpOptions {
  readonly source: string;
  readonly destination: string;
  readonly type: number;
  readonly code?: number;
  /** The 32 bits behind the checksum: an MTU, say. */
  readonly rest?: number;
  readonly payload?: Uint8Array;
  readonly hopLimit?: number;
}

/** A whole ICMP or ICMPv6 message in hex, by the family of its ends. */
export function icmp(options: IcmpOptions): string {
  const { type, code = 0, rest = 0, payload = new Uint8Array() } = options;
  const whole = { ...options, protocol: 'icmp' } as const;
  const message = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), payload]);
  message.writeUInt32BE(rest, 4);
  const { source, destination, number } = ends(whole);
  const pseudo = Buffer.from([0, number, message.length >> 8, message.length & 255]);
  const covered = source.length === 4 ? [message] : [source, destination, pseudo, message];
  message.writeUInt16BE(checksum(Buffer.concat(covered)), 2);
  return around(whole, message);
}

type Around = Pick<PacketOptions, 'source' | 'destination'> & {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly hopLimit?: number;
};

/** An IP packet in hex around any bytes in the place of a TCP segment, UDP datagram or ICMP message. */
export function around(options: Around, segment: Uint8Array): string {
  const { source, destination, number } = ends(options);
  const header = source.length === 4 ? ipv4Header : ipv6Header;
  return Buffer.concat([header(source, destination, number, segment.length, options.hopLimit ?? 64), segment]).toString(
    'hex',
  );
}

const NUMBERS = { tcp: { 4: 6, 16: 6 }, udp: { 4: 17, 16: 17 }, icmp: { 4: 1, 16: 58 } } as const;

function ends({ source, destination, protocol }: Around) {
  const bytes = (text: string) => Buffer.from(addressBytes(parseAddress(text)));
  const from = bytes(source);
  return { source: from, destination: bytes(destination), number: NUMBERS[protocol][from.length === 4 ? 4 : 16] };
}

function tcpHeader(flags: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32BE(0x1234_5678, 4);
  header.writeUInt8(5 << 4, 12);
  header.writeUInt8(flags, 13);
  header.writeUInt16BE(1024, 14);
  return header;
}

function udpHeader(payloadLength: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(8 + payloadLength, 4);
  return header;
}

function ipv4Header(source: Buffer, destination: Buffer, protocol: number, length: number, ttl: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + length, 2);
  header.writeUInt8(ttl, 8);
  header.writeUInt8(protocol, 9);
  header.set(source, 12);
  header.set(destination, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function ipv6Header(source: Buffer, destination: Buffer, protocol: number, length: number, hopLimit: number): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(length, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(hopLimit, 7);
  header.set(source, 8);
  header.set(destination, 24);
  return header;
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
