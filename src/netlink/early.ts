/**
 * Opening at once. A completed knock goes from here to the main thread, is decided there, and comes back to the writing
 * thread: three times a thread is woken, each time for a tenth of a millisecond or more. So the thread that hears of it first
 * puts the grant into the kernel by itself, as a standing order tells it, and then reports. The main thread decides as always and
 * writes the same elements anew: its word is the last, whatever came between.
 */
import { randomInt } from 'node:crypto';
import { type Address, addressBytes, type Family, familyOf, neverAllowed } from '../core/address.js';
import { commentOf } from '../core/grants/comment.js';
import type { GrantId } from '../core/grants/grant.js';
import { drawGrantId } from '../core/grants/id.js';
import type { EarlyGrant } from '../core/knock/source.js';
import type { ServiceName } from '../core/service.js';
import type { Duration, Instant } from '../core/time.js';
import { type Batch, encodeBatch, type Operation } from './elements.js';
import { NetlinkError } from './errors.js';
import { HOST_LITTLE_ENDIAN } from './message.js';
import type { LoggedPacket } from './nflog.js';
import { commit, readGeneration } from './requests.js';
import type { NetlinkSocket } from './socket.js';

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

/** Knocks that come closer together, in milliseconds, are a rush: they are answered sooner all in one transaction. */
const RUSH = 5;
/** So often is it rehearsed that the engine has compiled what it interprets at first. */
const REHEARSALS = 300;
const OWN: ReadonlySet<Address> = new Set();
const NOBODY: readonly string[] = [];

export class EarlyOpener {
  readonly #socket: NetlinkSocket;
  readonly #layout: EarlyLayout;
  readonly #orders = new Map<number, StandingOrder>();
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(socket: NetlinkSocket, layout: EarlyLayout) {
    this.#socket = socket;
    this.#layout = layout;
  }

  /** Takes orders away and puts others in. */
  order(removed: readonly number[], put: readonly StandingOrder[]): void {
    for (const mark of removed) this.#orders.delete(mark);
    for (const one of put) this.#orders.set(one.mark, one);
  }

  /**
   * Opens for a packet that completes a sequence, if that is simple: nobody is in from there yet.
   * @returns undefined where it is left to the main thread
   */
  open(packet: LoggedPacket): EarlyGrant | undefined {
    const now = performance.now();
    const isRush = now - this.#lastAt < RUSH;
    this.#lastAt = now;
    const order = this.#orders.get(packet.mark);
    if (order === undefined || isRush || neverAllowed(packet.source, OWN) !== undefined) return undefined;
    const id = drawGrantId(randomInt, () => false);
    const { bytes, last } = encode(this.#layout, packet, order, id);
    try {
      return commit(this.#socket, bytes, last) === undefined ? { id, services: order.services } : undefined;
    } catch (error) {
      if (error instanceof NetlinkError) return undefined;
      throw error;
    }
  }

  /** Does all that opening takes, again and again, and opens nothing. */
  rehearse(packet: LoggedPacket): void {
    const sets = { 4: ['rehearsal'], 6: NOBODY };
    const order: StandingOrder = { mark: packet.mark, userId: 1, ttl: 1000 as Duration, services: [], sets };
    for (let n = 0; n < REHEARSALS; n++) {
      encode(
        this.#layout,
        packet,
        order,
        drawGrantId(randomInt, () => false),
      );
      readGeneration(this.#socket);
    }
  }
}

/** Creates the elements, so that all is refused where one is there already, and takes the knock out of the mailbox. */
function encode(layout: EarlyLayout, { source, mark }: LoggedPacket, order: StandingOrder, id: GrantId): Batch {
  const family = familyOf(source);
  const { userId, ttl } = order;
  const comment = commentOf({ id, userId, method: 'knock', openedAt: Date.now() as Instant, ttl });
  const address = addressBytes(source);
  const key = family === 6 && layout.ipv6Prefix === 64 ? address.slice().fill(0, 8) : address;
  const elements = [{ key, timeout: ttl, comment }];
  const operations = order.sets[family].map((set): Operation => ({ op: 'create', set, elements }));
  operations.push({ op: 'delete', set: layout.mailbox[family], elements: [{ key: mailboxKey(address, mark) }] });
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
