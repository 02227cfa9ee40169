import { HOST_LITTLE_ENDIAN } from '../../../src/netlink/message.ts';

/*
 * A netlink datagram taken apart into messages, attributes and attributes within attributes, so that it can be changed
 * and put together again with lengths that are true; and the list of its fields, for those who want them to lie. It shares
 * nothing with the decoders that it is to try.
 */

export interface Item {
  /** With the flags for nesting and byte order. */
  type: number;
  value: Uint8Array | Item[];
}

export interface Part {
  type: number;
  flags: number;
  sequence: number;
  portId: number;
  /** nfgenmsg; in an NLMSG_ERROR or NLMSG_DONE the errno. */
  head: Uint8Array;
  /** Attributes, or bytes that are none. */
  rest: Uint8Array | Item[];
}

/** Where a number, an address or a value lies. */
export interface Field {
  readonly offset: number;
  readonly size: number;
}

const NLMSG_MIN_TYPE = 16;
const DEEPEST = 6;

const u16 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at, 2).getUint16(0, HOST_LITTLE_ENDIAN);
const u32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, HOST_LITTLE_ENDIAN);
const aligned = (length: number): number => length + ((4 - (length % 4)) % 4);

/** Takes a well-formed datagram apart. */
export function takeApart(datagram: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = u32(datagram, at);
    const type = u16(datagram, at + 4);
    const body = datagram.subarray(at + 16, at + length);
    const rest = body.subarray(4);
    parts.push({
      type,
      flags: u16(datagram, at + 6),
      sequence: u32(datagram, at + 8),
      portId: u32(datagram, at + 12),
      head: body.subarray(0, 4),
      rest: type < NLMSG_MIN_TYPE ? rest : (items(rest, 0) ?? rest),
    });
    at += aligned(length);
  }
  return parts;
}

/** undefined where the bytes are no attributes. */
function items(bytes: Uint8Array, depth: number): Item[] | undefined {
  const found: Item[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = u16(bytes, at);
    if (length < 4 || at + length > bytes.length) return undefined;
    const value = bytes.subarray(at + 4, at + length);
    const inner = value.length >= 8 && depth < DEEPEST ? items(value, depth + 1) : undefined;
    found.push({ type: u16(bytes, at + 2), value: inner ?? value });
    at += aligned(length);
  }
  return at === bytes.length && found.length > 0 ? found : undefined;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  readonly fields: readonly Field[];
}

/** Puts a datagram together, with true lengths as far as 16 bits can tell them. */
export function assemble(parts: readonly Part[]): Assembled {
  const size = parts.reduce((sum, { head, rest }) => sum + 16 + aligned(head.length + sizeOf(rest)), 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const fields: Field[] = [];
  let at = 0;
  for (const { type, flags, sequence, portId, head, rest } of parts) {
    const length = 16 + head.length + sizeOf(rest);
    view.setUint32(at, length, HOST_LITTLE_ENDIAN);
    view.setUint16(at + 4, type, HOST_LITTLE_ENDIAN);
    view.setUint16(at + 6, flags, HOST_LITTLE_ENDIAN);
    view.setUint32(at + 8, sequence, HOST_LITTLE_ENDIAN);
    view.setUint32(at + 12, portId, HOST_LITTLE_ENDIAN);
    bytes.set(head, at + 16);
    for (const [offset, width] of [
      [0, 4],
      [4, 2],
      [6, 2],
      [8, 4],
      [12, 4],
      [16, 1],
      [17, 1],
      [18, 2],
    ] as const) {
      if (offset + width <= length) fields.push({ offset: at + offset, size: width });
    }
    write(view, bytes, at + 16 + head.length, rest, fields);
    at += aligned(length);
  }
  return { bytes, fields };
}

function sizeOf(value: Uint8Array | Item[]): number {
  if (value instanceof Uint8Array) return value.length;
  return value.reduce((sum, item) => sum + aligned(4 + sizeOf(item.value)), 0);
}

function write(view: DataView, bytes: Uint8Array, start: number, value: Uint8Array | Item[], fields: Field[]): void {
  if (value instanceof Uint8Array) {
    bytes.set(value, start);
    if (value.length > 0) fields.push({ offset: start, size: value.length });
    for (const field of networkFields(value)) fields.push({ offset: start + field.offset, size: field.size });
    return;
  }
  let at = start;
  for (const item of value) {
    const size = 4 + sizeOf(item.value);
    view.setUint16(at, size & 0xffff, HOST_LITTLE_ENDIAN);
    view.setUint16(at + 2, item.type, HOST_LITTLE_ENDIAN);
    fields.push({ offset: at, size: 2 }, { offset: at + 2, size: 2 });
    write(view, bytes, at + 4, item.value, fields);
    at += aligned(size);
  }
}

const IPV4 = [
  [0, 1],
  [1, 1],
  [2, 2],
  [4, 2],
  [6, 2],
  [8, 1],
  [9, 1],
  [10, 2],
  [12, 4],
  [16, 4],
] as const;
const IPV6 = [
  [0, 4],
  [4, 2],
  [6, 1],
  [7, 1],
  [8, 16],
  [24, 16],
] as const;
const TRANSPORT = [
  [0, 2],
  [2, 2],
  [4, 2],
  [6, 2],
  [12, 1],
  [13, 1],
] as const;

/** The fields of an IP packet (RFC 791, RFC 8200, RFC 768, RFC 9293), where the bytes look like one. */
function networkFields(bytes: Uint8Array): Field[] {
  const version = (bytes[0] ?? 0) >> 4;
  const header = version === 4 ? 20 : 40;
  if ((version !== 4 && version !== 6) || bytes.length < header + 8) return [];
  const fields = version === 4 ? IPV4 : IPV6;
  const all = [...fields, ...TRANSPORT.map(([offset, size]) => [header + offset, size] as const)];
  return all.filter(([offset, size]) => offset + size <= bytes.length).map(([offset, size]) => ({ offset, size }));
}
