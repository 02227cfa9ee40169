/**
 * Netlink messages and attributes as bytes (RFC 3549, section 2.3; linux/netlink.h; linux/netfilter/nfnetlink.h).
 *
 *   0               2               4
 *   +-------------------------------+
 *   | length of all, header counted |   nlmsghdr: the host's byte order
 *   +---------------+---------------+
 *   | type          | flags         |
 *   +---------------+---------------+
 *   | sequence                      |
 *   +-------------------------------+
 *   | port id of the sender         |
 *   +-------+-------+---------------+
 *   | family| 0     | resource id   |   nfgenmsg: the resource id in network order
 *   +-------+-------+---------------+
 *   | length        | type          |   nlattr: the host's order; the value follows, padded to 4 bytes
 *   +---------------+---------------+
 */

/** nlmsghdr.nlmsg_type below this is netlink's own (linux/netlink.h). */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** nlmsghdr.nlmsg_flags. */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/** The subsystem of nf_tables: the upper byte of nlmsghdr.nlmsg_type (linux/netfilter/nfnetlink.h). */
export const NFNL_SUBSYS_NFTABLES = 10;

/** nfgenmsg.nfgen_family. */
export const NFPROTO_UNSPEC = 0;
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;

const HEADER_SIZE = 16;
const NFGENMSG_SIZE = 4;
const ATTRIBUTE_HEADER_SIZE = 4;
const NLA_F_NESTED = 0x8000;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const NLA_TYPE_MASK = 0x3fff;

export const HOST_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  /** What follows nlmsghdr: a view of the bytes that were decoded. */
  readonly body: Uint8Array;
}

export interface Attribute {
  /** Without the flags for nesting and byte order. */
  readonly type: number;
  /** A view of the bytes that were decoded. */
  readonly value: Uint8Array;
}

const align = (length: number): number => (length + 3) & ~3;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The messages of one datagram, in order, up to the first whose length cannot be true. */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const view = viewOf(datagram);
  const messages: Message[] = [];
  let offset = 0;
  while (offset + HEADER_SIZE <= datagram.length) {
    const length = view.getUint32(offset, HOST_LITTLE_ENDIAN);
    if (length < HEADER_SIZE || length > datagram.length - offset) break;
    messages.push({
      type: view.getUint16(offset + 4, HOST_LITTLE_ENDIAN),
      flags: view.getUint16(offset + 6, HOST_LITTLE_ENDIAN),
      sequence: view.getUint32(offset + 8, HOST_LITTLE_ENDIAN),
      portId: view.getUint32(offset + 12, HOST_LITTLE_ENDIAN),
      body: datagram.subarray(offset + HEADER_SIZE, offset + length),
    });
    offset += align(length);
  }
  return messages;
}

/** Attributes that lie one after another; undefined where a length cannot be true. */
export function decodeAttributes(bytes: Uint8Array): Attribute[] | undefined {
  const attributes: Attribute[] = [];
  let offset = 0;
  while (offset + ATTRIBUTE_HEADER_SIZE <= bytes.length) {
    const length = hostU16(bytes, offset);
    if (length < ATTRIBUTE_HEADER_SIZE || length > bytes.length - offset) return undefined;
    attributes.push({
      type: hostU16(bytes, offset + 2) & NLA_TYPE_MASK,
      value: bytes.subarray(offset + ATTRIBUTE_HEADER_SIZE, offset + length),
    });
    offset += align(length);
  }
  return offset < bytes.length ? undefined : attributes;
}

export interface NetfilterBody {
  readonly family: number;
  readonly attributes: readonly Attribute[];
}

/** The body of a netfilter message: nfgenmsg, then attributes. */
export function decodeNetfilterBody(body: Uint8Array): NetfilterBody | undefined {
  const family = body[0];
  if (family === undefined || body.length < NFGENMSG_SIZE) return undefined;
  const attributes = decodeAttributes(body.subarray(NFGENMSG_SIZE));
  return attributes && { family, attributes };
}

/** The value of the first attribute of a type. */
export function findAttribute(attributes: readonly Attribute[], type: number): Uint8Array | undefined {
  for (const attribute of attributes) if (attribute.type === type) return attribute.value;
  return undefined;
}

/** The errno (positive) of an NLMSG_ERROR, 0 for an acknowledgement; undefined where the body is too short. */
export function decodeErrno(body: Uint8Array): number | undefined {
  return body.length < 4 ? undefined : Math.abs(viewOf(body).getInt32(0, HOST_LITTLE_ENDIAN));
}

/** The first 16 bits, in network order like the following. */
export function readU16(value: Uint8Array | undefined): number | undefined {
  return value === undefined || value.length < 2 ? undefined : networkUint(value, 2);
}

export function readU32(value: Uint8Array | undefined): number | undefined {
  return value?.length === 4 ? networkUint(value, 4) : undefined;
}

/** A 64-bit number; undefined beyond what a double holds exactly. */
export function readU64(value: Uint8Array | undefined): number | undefined {
  if (value?.length !== 8) return undefined;
  const number = networkUint(value, 8);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A dump holds hundreds of thousands of numbers: a DataView for each would cost more than all the rest. */
function hostU16(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset] ?? 0;
  const second = bytes[offset + 1] ?? 0;
  return HOST_LITTLE_ENDIAN ? first | (second << 8) : (first << 8) | second;
}

function networkUint(bytes: Uint8Array, size: number): number {
  let number = 0;
  for (let i = 0; i < size; i++) number = number * 256 + (bytes[i] ?? 0);
  return number;
}

const utf8Decoder = new TextDecoder();
const utf8Encoder = new TextEncoder();

/** Text up to the first NUL; bytes that are not UTF-8 become replacement characters. */
export function readText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return utf8Decoder.decode(end < 0 ? value : value.subarray(0, end));
}

/** Writes messages one after another into a buffer that grows. Numbers in attributes go out in network order. */
export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  #message = 0;
  readonly #nested: number[] = [];

  /** @param capacity the bytes to set aside at first */
  constructor(capacity = 512) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = viewOf(this.#bytes);
  }

  /** How many bytes are written. */
  get length(): number {
    return this.#length;
  }

  beginMessage(type: number, flags: number, sequence: number, family: number, resource = 0): void {
    this.#message = this.#reserve(HEADER_SIZE + NFGENMSG_SIZE);
    this.#view.setUint16(this.#message + 4, type, HOST_LITTLE_ENDIAN);
    this.#view.setUint16(this.#message + 6, flags, HOST_LITTLE_ENDIAN);
    this.#view.setUint32(this.#message + 8, sequence, HOST_LITTLE_ENDIAN);
    this.#view.setUint8(this.#message + HEADER_SIZE, family);
    this.#view.setUint16(this.#message + HEADER_SIZE + 2, resource);
  }

  /**
   * To be called again to add flags, for as long as no other message is begun.
   * @param flags more flags, for what is known only now
   */
  endMessage(flags = 0): void {
    this.#view.setUint32(this.#message, this.#length - this.#message, HOST_LITTLE_ENDIAN);
    const before = this.#view.getUint16(this.#message + 6, HOST_LITTLE_ENDIAN);
    this.#view.setUint16(this.#message + 6, before | flags, HOST_LITTLE_ENDIAN);
  }

  beginNested(type: number): void {
    this.#nested.push(this.#attribute(type | NLA_F_NESTED, 0) - ATTRIBUTE_HEADER_SIZE);
  }

  /** @throws RangeError beyond the 65,535 bytes that the length of an attribute can say */
  endNested(): void {
    const start = this.#nested.pop();
    if (start === undefined) throw new RangeError('no nested attribute is open');
    this.#setLength(start, this.#length - start);
  }

  bytes(type: number, value: Uint8Array): void {
    const offset = this.#attribute(type, value.length);
    this.#bytes.set(value, offset);
  }

  u8(type: number, value: number): void {
    const offset = this.#attribute(type, 1);
    this.#view.setUint8(offset, value);
  }

  u32(type: number, value: number): void {
    const offset = this.#attribute(type, 4);
    this.#view.setUint32(offset, value);
  }

  u64(type: number, value: number): void {
    const offset = this.#attribute(type, 8);
    this.#view.setUint32(offset, Math.floor(value / 2 ** 32));
    this.#view.setUint32(offset + 4, value % 2 ** 32);
  }

  /** Text with the NUL that the kernel's strings end in. */
  text(type: number, value: string): void {
    this.bytes(type, utf8Encoder.encode(`${value}\0`));
  }

  /** What was written, in a buffer of its own size. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** Writes the header, and returns where the value goes. The buffer may be another one afterwards. */
  #attribute(type: number, size: number): number {
    const start = this.#reserve(align(ATTRIBUTE_HEADER_SIZE + size));
    this.#view.setUint16(start + 2, type, HOST_LITTLE_ENDIAN);
    this.#setLength(start, ATTRIBUTE_HEADER_SIZE + size);
    return start + ATTRIBUTE_HEADER_SIZE;
  }

  #setLength(attribute: number, length: number): void {
    if (length > 0xffff) throw new RangeError(`an attribute cannot hold ${length} bytes`);
    this.#view.setUint16(attribute, length, HOST_LITTLE_ENDIAN);
  }

  #reserve(size: number): number {
    const start = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return start;
  }
}
