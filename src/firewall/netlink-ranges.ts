import { setImmediate as breathe } from 'node:timers/promises';
import { type Family, formatBits, readBits } from '../core/address.js';
import type { KernelRange, RangeContents } from '../core/firewall.js';
import { Pace } from '../core/pace.js';
import type { Clock, Duration } from '../core/time.js';
import type { SetElement } from '../netlink/elements.js';
import { isMissing, NetlinkError, type NftablesLink, type Operation } from '../netlink/nftables-link.js';
import { timeLeft } from './contents.js';
import { intervalSets, type WantedRange } from './interval-sets.js';
import type { Placement } from './placement.js';
import type { Ranges } from './ranges.js';

/** The highest address of a family: an interval up to there has no end in the kernel. */
const HIGHEST = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n } as const;

/**
 * Interval sets over netlink. An interval is two elements, its first address and, marked as an end, the one behind its last
 * (nft_set_rbtree.c). The times of grants lie with the first; an end alone means nothing.
 */
export class NetlinkRanges implements Ranges {
  readonly #link: NftablesLink;
  readonly #clock: Clock;
  /** What each set holds, as far as it is known. */
  #written = new Map<string, readonly WantedRange[]>();

  constructor(options: { link: NftablesLink; clock: Clock }) {
    this.#link = options.link;
    this.#clock = options.clock;
  }

  forget(): void {
    this.#written = new Map();
  }

  async write(placement: Placement, ranges: RangeContents): Promise<void> {
    try {
      await this.#write(placement, ranges, { isTrusting: true });
    } catch (error) {
      this.forget();
      if (!(error instanceof NetlinkError)) throw error;
      // Somebody else has been at the sets: what is taken out is not there, or what is put in meets something that is.
      await this.#write(placement, ranges, { isTrusting: false });
    }
  }

  async #write(placement: Placement, ranges: RangeContents, { isTrusting }: { isTrusting: boolean }): Promise<void> {
    const written = new Map<string, readonly WantedRange[]>();
    const operations: Operation[] = [];
    const pace = new Pace(() => this.#clock.monotonic(), breathe);
    for (const { set, family, holds, wanted } of intervalSets(placement, ranges)) {
      const isRead = isTrusting && holds !== 'grant';
      const known = this.#written.get(set) ?? (isRead ? await this.#readLasting(set, family) : undefined);
      operations.push(...this.#operations(set, family, known, wanted));
      written.set(set, wanted);
      if (pace.isDue) await pace.rest();
    }
    if (operations.length > 0) await this.#link.transact(operations);
    this.#written = written;
  }

  /** What is there need not be written, which costs the kernel more the more there is to take out before. */
  async #readLasting(set: string, family: Family): Promise<WantedRange[]> {
    return [...pairUp(family, await this.#scan(set))].map(({ first, last }) => ({ family, first, last }));
  }

  #operations(
    set: string,
    family: Family,
    known: readonly WantedRange[] | undefined,
    wanted: readonly WantedRange[],
  ): Operation[] {
    if (known === undefined) return [{ op: 'flush', set, elements: [] }, this.#operation('add', set, family, wanted)];
    const { gone, come } = difference(known, wanted);
    // What had a time may be gone by itself, and then cannot be taken out.
    if (gone.some(({ until }) => until !== undefined)) return this.#operations(set, family, undefined, wanted);
    return [
      ...(gone.length === 0 ? [] : [this.#operation('delete', set, family, gone)]),
      ...(come.length === 0 ? [] : [this.#operation('add', set, family, come)]),
    ];
  }

  /** The elements are made as they are written: kept until then, 50,000 intervals would be 20 MB. */
  #operation(op: 'add' | 'delete', set: string, family: Family, ranges: readonly WantedRange[]): Operation {
    return { op, set, elements: { [Symbol.iterator]: () => this.#elements(family, ranges) } };
  }

  *#elements(family: Family, ranges: readonly WantedRange[]): Generator<SetElement> {
    for (const { first, last, until } of ranges) {
      const timeout = until === undefined ? undefined : timeLeft(this.#clock, until);
      if (until !== undefined && timeout === undefined) continue;
      yield { key: formatBits(family, first), ...(timeout === undefined ? {} : { timeout }) };
      if (last !== HIGHEST[family]) yield { key: formatBits(family, last + 1n), intervalEnd: true };
    }
  }

  async read(placement: Placement): Promise<KernelRange[]> {
    const found: KernelRange[] = [];
    for (const { set, family, scope, holds } of intervalSets(placement)) {
      // One that has times loses elements from a reading when others end meanwhile.
      const elements = holds === 'grant' ? await this.#dump(set) : await this.#scan(set);
      for (const range of pairUp(family, elements)) found.push({ ...range, family, scope, holds });
    }
    return found;
  }

  async #dump(set: string): Promise<SetElement[]> {
    return await this.#link.dump(set).catch(ifMissing);
  }

  async #scan(set: string): Promise<SetElement[]> {
    const all: SetElement[] = [];
    try {
      for await (const { elements } of this.#link.scan(set)) for (const element of elements) all.push(element);
    } catch (error) {
      return ifMissing(error);
    }
    return all;
  }
}

/** A table of another layout may lack a set that ours has. */
function ifMissing(error: unknown): SetElement[] {
  if (isMissing(error)) return [];
  throw error;
}

/** Both in order and disjoint. */
function difference(known: readonly WantedRange[], wanted: readonly WantedRange[]) {
  const [gone, come]: [WantedRange[], WantedRange[]] = [[], []];
  let at = 0;
  for (const range of wanted) {
    for (let old = known[at]; old !== undefined && old.first < range.first; old = known[++at]) gone.push(old);
    const old = known[at];
    if (old?.first !== range.first) {
      come.push(range);
      continue;
    }
    at++;
    if (old.last === range.last && old.until === range.until) continue;
    gone.push(old);
    come.push(range);
  }
  return { gone: [...gone, ...known.slice(at)], come };
}

/** The intervals that elements stand for, in whatever order these come. */
function* pairUp(family: Family, elements: readonly SetElement[]) {
  const marks = elements
    .map(({ key, intervalEnd = false, remaining }) => ({ bits: readBits(key), isEnd: intervalEnd, remaining }))
    // Where one ends another may begin.
    .sort((a, b) => (a.bits < b.bits ? -1 : a.bits > b.bits ? 1 : Number(b.isEnd) - Number(a.isEnd)));
  let open: { first: bigint; remaining: Duration | null } | undefined;
  for (const { bits, isEnd, remaining } of marks) {
    if (open !== undefined) yield { ...open, last: bits - 1n };
    open = isEnd ? undefined : { first: bits, remaining: remaining ?? null };
  }
  if (open !== undefined) yield { ...open, last: HIGHEST[family] };
}
