import type { Family } from '../core/address.js';
import { commentOf } from '../core/grants/comment.js';
import type { GrantId } from '../core/grants/grant.js';
import type { ServiceName } from '../core/service.js';
import type { Duration, Instant } from '../core/time.js';
import { type Batch, encodeBatch, type Operation } from './elements.js';
import { HOST_LITTLE_ENDIAN } from './message.js';

/** What a completed sequence opens, and for whom. */
export interface StandingOrder {
  /** The mark of the packet that completes it. */
  readonly mark: number;
  readonly userId: number;
  readonly ttl: Duration;
  readonly services: readonly ServiceName[];
  /** The sets that let an address in to them. */
  readonly sets: Readonly<Record<Family, readonly string[]>>;
}

export interface EarlyLayout {
  readonly table: string;
  /** The sets of completed knocks: address and mark. */
  readonly mailbox: Readonly<Record<Family, string>>;
  readonly ipv6Prefix: 64 | 128;
}

/** What is known of a grant only when its knock is there. */
interface Unknowns {
  /** In network order. */
  readonly source: Uint8Array;
  readonly id: GrantId;
  readonly openedAt: Instant;
}

interface Place {
  readonly start: number;
  readonly length: number;
}

const RADIX = 36;
const ADDRESS_SIZE = { 4: 4, 6: 16 } as const;

/**
 * The transaction that opens for a standing order, encoded ahead: it creates the elements, so that all is refused where one is
 * there already, and takes the knock out of the mailbox. Only the address, the grant's id and the time are left to be
 * written when a knock comes.
 */
export class OpeningTemplate {
  /** The sequence number of the last message: see Batch. */
  readonly last: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #addresses: Place[] = [];
  readonly #ids: Place[] = [];
  readonly #times: Place[] = [];
  readonly #fromSecond: number;
  readonly #toSecond: number;

  /** @param at the moment of the knocks that it is meant for, roughly: see `holdsAt` */
  constructor(layout: EarlyLayout, order: StandingOrder, family: Family, at: Instant) {
    const digits = secondsOf(at).toString(RADIX).length;
    this.#fromSecond = RADIX ** (digits - 1);
    this.#toSecond = RADIX ** digits;
    const [none, all] = [new Uint8Array(ADDRESS_SIZE[family]), new Uint8Array(ADDRESS_SIZE[family]).fill(0xff)];
    // They differ in each byte of what is unknown, and nowhere else.
    const earliest = { source: none, id: '00000000' as GrantId, openedAt: instantOf(this.#fromSecond) };
    const latest = { source: all, id: 'ZZZZZZZZ' as GrantId, openedAt: instantOf(this.#toSecond - 1) };
    const { bytes, last } = encode(layout, order, family, earliest);
    this.#bytes = bytes;
    this.last = last;
    const places = differences(bytes, encode(layout, order, family, latest).bytes);
    // An element has its key, then a comment with the id and the time; the last message has nothing but a key.
    const kinds = [this.#addresses, this.#ids, this.#times];
    for (const [index, place] of places.entries()) kinds[index % kinds.length]?.push(place);
  }

  /** The time takes as many digits in a comment as there is room for. */
  holdsAt(now: Instant): boolean {
    const seconds = secondsOf(now);
    return seconds >= this.#fromSecond && seconds < this.#toSecond;
  }

  /** @returns the transaction; the next call writes over it */
  fill({ source, id, openedAt }: Unknowns): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    for (const { start, length } of this.#addresses) {
      for (let i = 0; i < length; i++) bytes[start + i] = source[i] ?? 0;
    }
    for (const { start, length } of this.#ids) {
      for (let i = 0; i < length; i++) bytes[start + i] = id.charCodeAt(i);
    }
    for (const { start, length } of this.#times) {
      let rest = secondsOf(openedAt);
      for (let i = start + length - 1; i >= start; i--) {
        const digit = rest % RADIX;
        bytes[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
        rest = (rest - digit) / RADIX;
      }
    }
    return bytes;
  }
}

function encode(layout: EarlyLayout, order: StandingOrder, family: Family, { source, id, openedAt }: Unknowns): Batch {
  const { userId, ttl, mark } = order;
  const comment = commentOf({ id, userId, method: 'knock', openedAt, ttl });
  const key = family === 6 && layout.ipv6Prefix === 64 ? source.slice().fill(0, 8) : source;
  const elements = [{ key, timeout: ttl, comment }];
  const operations = order.sets[family].map((set): Operation => ({ op: 'create', set, elements }));
  operations.push({ op: 'delete', set: layout.mailbox[family], elements: [{ key: mailboxKey(source, mark) }] });
  const steps = encodeBatch(layout.table, operations);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** A concatenation of an address and a mark, which is in the byte order of the host. */
export function mailboxKey(address: Uint8Array, mark: number): Uint8Array {
  const key = new Uint8Array(address.length + 4);
  key.set(address);
  new DataView(key.buffer).setUint32(address.length, mark, HOST_LITTLE_ENDIAN);
  return key;
}

/** The runs of bytes in which two of the same length differ. */
function differences(one: Uint8Array, other: Uint8Array): Place[] {
  const places: Place[] = [];
  for (let i = 0; i < one.length; i++) {
    const start = i;
    while (i < one.length && one[i] !== other[i]) i++;
    if (i > start) places.push({ start, length: i - start });
  }
  return places;
}

function secondsOf(instant: Instant): number {
  return Math.floor(instant / 1000);
}

function instantOf(seconds: number): Instant {
  return (seconds * 1000) as Instant;
}
