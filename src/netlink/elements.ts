/**
 * Elements of nf_tables sets as netlink messages (linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h; the layout
 * of the messages and of user data follows libnftnl, so that `nft list set` shows what is written here).
 */
import { type Duration, millis } from '../core/time.js';
import {
  type Attribute,
  decodeAttributes,
  decodeMessages,
  decodeNetfilterBody,
  findAttribute,
  MessageWriter,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_INET,
  NFPROTO_UNSPEC,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  readText,
  readU32,
  readU64,
} from './message.js';

export interface SetElement {
  /**
   * Addresses, ports and protocols in network order, marks in the host's. In a concatenation each field is padded to a
   * multiple of 4 bytes. Empty for the catch-all element of a dump.
   */
  readonly key: Uint8Array;
  /** The value in a map, in the same orders. Verdicts are neither written nor read. */
  readonly data?: Uint8Array;
  /**
   * Whole milliseconds, at least 1: the kernel takes 0 for "for ever". Left out, the set's own timeout holds; in a dump
   * it is left out where it equals the set's own.
   */
  readonly timeout?: Duration;
  /** What is left of the timeout. Only in dumps; absent for an element that lasts for ever. */
  readonly remaining?: Duration;
  /** At most 127 bytes of UTF-8 without NUL. */
  readonly comment?: string;
  /** In an interval set: the key is the first that no longer belongs to the interval. */
  readonly intervalEnd?: boolean;
}

export interface Operation {
  /** `create` is refused (EEXIST) where the element is there; `flush` takes out all that the set holds, and names none. */
  readonly op: 'add' | 'create' | 'delete' | 'flush';
  readonly set: string;
  /** Gone through once. */
  readonly elements: Iterable<SetElement>;
}

export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The index of the operation that each message belongs to; the message's sequence number is its place here. */
  readonly operationOf: readonly (number | undefined)[];
  /** The sequence number of the last operation's last message, the one that asks for an acknowledgement. */
  readonly last: number;
}

const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
const NFT_MSG_GETSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 13;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_SET_ELEM_USERDATA = 6;
const NFT_SET_ELEM_INTERVAL_END = 1;
const NFTA_DATA_VALUE = 1;

/** libnftnl/udata.h: a type, a length, the value. */
const NFTNL_UDATA_SET_ELEM_COMMENT = 0;
const UDATA_HEADER_SIZE = 2;

const FLAGS = { add: NLM_F_CREATE, create: NLM_F_CREATE | NLM_F_EXCL, delete: 0, flush: 0 } as const;

/** NFT_DATA_VALUE_MAXLEN. */
const LONGEST_VALUE = 64;
const LONGEST_COMMENT = 127;
/** An element takes some 300 bytes at most, and the list of one message 65,535. */
const FULL_LIST = 60_000;

/**
 * Encodes operations as one batch, which the kernel carries out as a whole or not at all. Yields after each message of
 * some hundred elements, so that the caller can let others run in between.
 * @throws RangeError for an element that cannot be: a programming error
 */
export function* encodeBatch(table: string, operations: readonly Operation[]): Generator<void, Batch> {
  const writer = new MessageWriter(4096);
  const operationOf: (number | undefined)[] = [undefined];
  encodeMark(writer, NFNL_MSG_BATCH_BEGIN, 0);
  for (const [index, { op, set, elements }] of operations.entries()) {
    const begin = () => encodeStart(writer, table, op, set, operationOf.push(index) - 1);
    if (op === 'flush') {
      begin();
      writer.endMessage();
      continue;
    }
    const rest = elements[Symbol.iterator]();
    let next = rest.next();
    while (next.done !== true) {
      begin();
      writer.beginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
      const start = writer.length;
      for (; next.done !== true && writer.length - start < FULL_LIST; next = rest.next()) {
        encodeElement(writer, next.value, op);
      }
      writer.endNested();
      writer.endMessage();
      yield;
    }
  }
  if (operationOf.length > 1) writer.endMessage(NLM_F_ACK);
  encodeMark(writer, NFNL_MSG_BATCH_END, operationOf.length);
  return { bytes: writer.finish(), operationOf, last: operationOf.length - 1 };
}

/** What tells one element of a set from all others. */
export function elementId({ key, intervalEnd = false }: SetElement): string {
  return `${intervalEnd ? '<' : '='}${Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')}`;
}

/** Asks for the elements of a set of an inet table. */
export function encodeDumpRequest(table: string, set: string): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter();
  writer.beginMessage(NFT_MSG_GETSETELEM, NLM_F_REQUEST | NLM_F_DUMP, 1, NFPROTO_INET);
  writer.text(NFTA_SET_ELEM_LIST_TABLE, table);
  writer.text(NFTA_SET_ELEM_LIST_SET, set);
  writer.endMessage();
  return writer.finish();
}

/** Asks for single elements of a set of an inet table, one message each, so that one that is missing costs no other. */
export function encodeGetRequest(table: string, set: string, keys: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter(128 * keys.length);
  const [tableName, setName] = [utf8.encode(`${table}\0`), utf8.encode(`${set}\0`)];
  for (const [index, key] of keys.entries()) {
    writer.beginMessage(NFT_MSG_GETSETELEM, NLM_F_REQUEST, index + 1, NFPROTO_INET);
    writer.bytes(NFTA_SET_ELEM_LIST_TABLE, tableName);
    writer.bytes(NFTA_SET_ELEM_LIST_SET, setName);
    writer.beginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
    writer.beginNested(NFTA_LIST_ELEM);
    encodeValue(writer, NFTA_SET_ELEM_KEY, key);
    writer.endNested();
    writer.endNested();
    writer.endMessage();
  }
  return writer.finish();
}

/** All elements in a datagram of a dump's answer; undefined where it is malformed. */
export function decodeElements(datagram: Uint8Array): SetElement[] | undefined {
  const elements: SetElement[] = [];
  for (const message of decodeMessages(datagram)) {
    if (message.type !== NFT_MSG_NEWSETELEM) continue;
    const list = findAttribute(decodeNetfilterBody(message.body)?.attributes ?? [], NFTA_SET_ELEM_LIST_ELEMENTS);
    // A set without elements is answered by a message without a list.
    const items = list === undefined ? decodeNetfilterBody(message.body) && [] : decodeAttributes(list);
    if (items === undefined) return undefined;
    for (const item of items) {
      const element = decodeElement(item);
      if (element === undefined) return undefined;
      elements.push(element);
    }
  }
  return elements;
}

function encodeMark(writer: MessageWriter, type: number, sequence: number): void {
  writer.beginMessage(type, NLM_F_REQUEST, sequence, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  writer.endMessage();
}

/** Without a list of elements all of the set are meant (nf_tables_delsetelem). */
function encodeStart(writer: MessageWriter, table: string, op: Operation['op'], set: string, sequence: number): void {
  const type = op === 'delete' || op === 'flush' ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
  writer.beginMessage(type, NLM_F_REQUEST | FLAGS[op], sequence, NFPROTO_INET);
  writer.text(NFTA_SET_ELEM_LIST_TABLE, table);
  writer.text(NFTA_SET_ELEM_LIST_SET, set);
}

function encodeElement(writer: MessageWriter, element: SetElement, op: Operation['op']): void {
  writer.beginNested(NFTA_LIST_ELEM);
  if (element.intervalEnd === true) writer.u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  if (op !== 'delete' && element.timeout !== undefined) {
    if (!(Number.isSafeInteger(element.timeout) && element.timeout >= 1)) {
      throw new RangeError(`a timeout is a whole number of milliseconds of at least 1, not ${element.timeout}`);
    }
    writer.u64(NFTA_SET_ELEM_TIMEOUT, element.timeout);
  }
  encodeValue(writer, NFTA_SET_ELEM_KEY, element.key);
  if (op !== 'delete' && element.data !== undefined) encodeValue(writer, NFTA_SET_ELEM_DATA, element.data);
  if (op !== 'delete' && element.comment !== undefined) {
    writer.bytes(NFTA_SET_ELEM_USERDATA, encodeComment(element.comment));
  }
  writer.endNested();
}

function encodeValue(writer: MessageWriter, type: number, value: Uint8Array): void {
  if (value.length < 1 || value.length > LONGEST_VALUE) {
    throw new RangeError(`a key or value takes 1 to ${LONGEST_VALUE} bytes, not ${value.length}`);
  }
  writer.beginNested(type);
  writer.bytes(NFTA_DATA_VALUE, value);
  writer.endNested();
}

const utf8 = new TextEncoder();

function encodeComment(comment: string): Uint8Array {
  const text = utf8.encode(comment);
  if (text.length > LONGEST_COMMENT || text.includes(0)) {
    throw new RangeError(`a comment takes at most ${LONGEST_COMMENT} bytes without NUL`);
  }
  const userData = new Uint8Array(UDATA_HEADER_SIZE + text.length + 1);
  userData[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
  userData[1] = text.length + 1;
  userData.set(text, UDATA_HEADER_SIZE);
  return userData;
}

function decodeElement(item: Attribute): SetElement | undefined {
  const attributes = decodeAttributes(item.value);
  if (attributes === undefined) return undefined;
  const element: { -readonly [K in keyof SetElement]: SetElement[K] } = { key: new Uint8Array(0) };
  for (const { type, value } of attributes) {
    if (type === NFTA_SET_ELEM_KEY) element.key = decodeValue(value) ?? element.key;
    else if (type === NFTA_SET_ELEM_DATA) {
      const data = decodeValue(value);
      if (data !== undefined) element.data = data;
    } else if (type === NFTA_SET_ELEM_FLAGS) {
      if (((readU32(value) ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0) element.intervalEnd = true;
    } else if (type === NFTA_SET_ELEM_TIMEOUT) {
      const timeout = readU64(value);
      if (timeout !== undefined) element.timeout = millis(timeout);
    } else if (type === NFTA_SET_ELEM_EXPIRATION) {
      const remaining = readU64(value);
      if (remaining !== undefined) element.remaining = millis(remaining);
    } else if (type === NFTA_SET_ELEM_USERDATA) {
      const comment = decodeComment(value);
      if (comment !== undefined) element.comment = comment;
    }
  }
  return element;
}

/** A copy, so that one key kept does not keep the whole datagram. Verdicts are no values: undefined. */
function decodeValue(nested: Uint8Array): Uint8Array | undefined {
  return findAttribute(decodeAttributes(nested) ?? [], NFTA_DATA_VALUE)?.slice();
}

function decodeComment(userData: Uint8Array): string | undefined {
  let offset = 0;
  while (offset + UDATA_HEADER_SIZE <= userData.length) {
    const end = offset + UDATA_HEADER_SIZE + (userData[offset + 1] ?? 0);
    if (end > userData.length) return undefined;
    if (userData[offset] === NFTNL_UDATA_SET_ELEM_COMMENT) {
      return readText(userData.subarray(offset + UDATA_HEADER_SIZE, end));
    }
    offset = end;
  }
  return undefined;
}
