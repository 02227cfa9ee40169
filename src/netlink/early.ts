/**
 * Opening at once. A completed knock goes from here to the main thread, is decided there, and comes back to the writing
 * thread: three times a thread is woken, each time for a tenth of a millisecond or more. So the thread that hears of it first
 * puts the grant into the kernel by itself, as a standing order tells it, and then reports. The main thread decides as always and
 * writes the same elements anew: its word is the last, whatever came between.
 *
 * A knock comes after long idling, when none of this is in a processor's cache: what lies before the sending is as short
 * as can be, and all that can be done ahead or afterwards is.
 */
import { randomInt } from 'node:crypto';
import type { Family } from '../core/address.js';
import type { GrantId } from '../core/grants/grant.js';
import { drawGrantId } from '../core/grants/id.js';
import type { EarlyGrant } from '../core/knock/source.js';
import type { Duration, Instant } from '../core/time.js';
import { NetlinkError } from './errors.js';
import { type LoggedKnock, readKnock } from './logged-knock.js';
import { type EarlyLayout, OpeningTemplate, type StandingOrder } from './opening-template.js';
import { commit, readGeneration } from './requests.js';
import type { NetlinkSocket } from './socket.js';

/** Knocks that come closer together, in milliseconds, are a rush: they are answered sooner all in one transaction. */
const RUSH = 5;
/** So often is it rehearsed that the engine has compiled what it interprets at first. */
const REHEARSALS = 300;
/** For so many orders are the transactions kept ready: some kilobytes each. For the others they are encoded when needed. */
const MOST_READY = 1000;
/** Ids that are drawn at a time. */
const IDS_AHEAD = 32;

interface Ready {
  readonly order: StandingOrder;
  readonly templates: Record<Family, OpeningTemplate> | null;
}

export class EarlyOpener {
  readonly #socket: NetlinkSocket;
  readonly #layout: EarlyLayout;
  readonly #orders = new Map<number, Ready>();
  #readyCount = 0;
  #ids: GrantId[] = [];
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(socket: NetlinkSocket, layout: EarlyLayout) {
    this.#socket = socket;
    this.#layout = layout;
    this.#drawIds();
  }

  /** Takes orders away and puts others in. */
  order(removed: readonly number[], put: readonly StandingOrder[]): void {
    for (const mark of removed) this.#forget(mark);
    for (const order of put) {
      this.#forget(order.mark);
      const isKept = this.#readyCount < MOST_READY;
      if (isKept) this.#readyCount += 1;
      this.#orders.set(order.mark, { order, templates: isKept ? this.#templatesOf(order) : null });
    }
  }

  /**
   * Opens for a packet that completes a sequence, if that is simple: nobody is in from there yet.
   * @returns undefined where it is left to the main thread
   */
  open({ mark, source }: LoggedKnock): EarlyGrant | undefined {
    const now = performance.now();
    const isRush = now - this.#lastAt < RUSH;
    this.#lastAt = now;
    const ready = this.#orders.get(mark);
    if (ready === undefined || isRush || !isOrdinary(source)) return undefined;
    const family = source.length === 4 ? 4 : 6;
    const openedAt = Date.now() as Instant;
    const id = this.#nextId();
    let template = ready.templates?.[family];
    if (template?.holdsAt(openedAt) !== true) {
      template = new OpeningTemplate(this.#layout, ready.order, family, openedAt);
    }
    const bytes = template.fill({ source, id, openedAt });
    try {
      const refusal = commit(this.#socket, bytes, template.last);
      return refusal === undefined ? { id, services: ready.order.services } : undefined;
    } catch (error) {
      if (error instanceof NetlinkError) return undefined;
      throw error;
    }
  }

  /** Does all that opening takes, again and again, and opens nothing. */
  rehearse(datagram: Uint8Array): void {
    const sets = { 4: ['rehearsal'], 6: [] };
    const order: StandingOrder = { mark: 0, userId: 1, ttl: 1000 as Duration, services: [], sets };
    const { 4: template } = this.#templatesOf(order);
    for (let n = 0; n < REHEARSALS; n++) {
      const knock = readKnock(datagram);
      const openedAt = Date.now() as Instant;
      if (knock === undefined || !isOrdinary(knock.source) || !template.holdsAt(openedAt)) return;
      template.fill({ source: knock.source, id: this.#nextId(), openedAt });
      readGeneration(this.#socket);
    }
  }

  #forget(mark: number): void {
    if (this.#orders.get(mark)?.templates != null) this.#readyCount -= 1;
    this.#orders.delete(mark);
  }

  #templatesOf(order: StandingOrder): Record<Family, OpeningTemplate> {
    const now = Date.now() as Instant;
    return {
      4: new OpeningTemplate(this.#layout, order, 4, now),
      6: new OpeningTemplate(this.#layout, order, 6, now),
    };
  }

  #nextId(): GrantId {
    const id = this.#ids.pop();
    if (id !== undefined) return id;
    this.#drawIds();
    return this.#nextId();
  }

  #drawIds(): void {
    for (let n = 0; n < IDS_AHEAD; n++) this.#ids.push(drawGrantId(randomInt, () => false));
  }
}

/**
 * None of the addresses that may never be let in (neverAllowed): the unspecified, loopback, multicast, reserved, and IPv4
 * in IPv6 clothes. Some that may be let in are not ordinary either.
 */
export function isOrdinary(source: Uint8Array): boolean {
  const first = source[0] ?? 0;
  if (source.length === 4) return first !== 0 && first !== 127 && first < 224;
  return first !== 0 && first !== 0xff;
}
