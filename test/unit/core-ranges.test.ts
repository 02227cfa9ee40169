import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Family, parseTarget, rangeOf } from '../../src/core/address.ts';
import { MinHeap } from '../../src/core/heap.ts';
import { disjointRanges, mergedRanges, type TimedRange } from '../../src/core/ranges.ts';
import type { Monotonic } from '../../src/core/time.ts';

describe('a heap', () => {
  it('gives the least first, and each value once, whatever comes and goes between', () => {
    // 0 and -0 are the same order, and not the same value.
    const order = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true })).map((one) => one + 0);
    const deed = fc.oneof({ weight: 3, arbitrary: order }, { weight: 2, arbitrary: fc.constant('pop' as const) });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 200 }), (deeds) => {
        const heap = new MinHeap<number>();
        const orders = new Map<number, number>();
        const take = () => {
          const first = heap.peek();
          const taken = heap.pop();
          expect(taken).toEqual(first);
          if (orders.size === 0) return expect(taken).toBeUndefined();
          expect(taken?.order).toBe(orders.get(taken?.value ?? -1));
          expect(Math.min(...orders.values())).toBe(taken?.order);
          orders.delete(taken?.value ?? -1);
        };
        for (const [value, one] of deeds.entries()) {
          if (one === 'pop') take();
          else {
            heap.push(one, value);
            orders.set(value, one);
          }
          expect(heap.size).toBe(orders.size);
        }
        while (heap.size > 0) take();
        expect(orders.size).toBe(0);
      }),
    );
  });

  it('gives only what it was filled with anew, the least first', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.array(fc.integer()), (before, orders) => {
        const heap = new MinHeap<number>();
        for (const order of before) heap.push(order, -1);
        heap.refill(orders.map((order, value) => ({ order, value })));
        const taken = orders.map(() => heap.pop());
        expect(taken.map((item) => item?.order)).toEqual([...orders].sort((a, b) => a - b));
        expect(new Set(taken.map((item) => item?.value)).size).toBe(orders.length);
        expect(heap.size).toBe(0);
      }),
    );
  });

  it('that is empty gives nothing', () => {
    const heap = new MinHeap<string>();
    expect([heap.peek(), heap.pop(), heap.size]).toEqual([undefined, undefined, 0]);
  });
});

/** Where 256 addresses lie: in the midst, at the beginning and at the end of each family. */
const PLACES: readonly { family: Family; base: bigint }[] = [
  { family: 4, base: 0n },
  { family: 4, base: 0x0a000000n },
  { family: 4, base: 2n ** 32n - 256n },
  { family: 6, base: 0n },
  { family: 6, base: 0x20010db8n << 96n },
  { family: 6, base: 2n ** 128n - 256n },
];

const until = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 4 })) as fc.Arbitrary<Monotonic | null>;
const everything = fc.constantFrom('0.0.0.0/0', '::/0').map((text) => rangeOf(parseTarget(text)));
const small = fc.tuple(fc.constantFrom(...PLACES), fc.nat(255), fc.nat(255)).map(([{ family, base }, a, b]) => ({
  family,
  first: base + BigInt(Math.min(a, b)),
  last: base + BigInt(Math.max(a, b)),
}));
const timedRange: fc.Arbitrary<TimedRange> = fc
  .tuple(fc.oneof({ weight: 15, arbitrary: small }, { weight: 1, arbitrary: everything }), until)
  .map(([range, end]) => ({ ...range, until: end }));

const order = (end: Monotonic | null | undefined) => (end === undefined ? -1 : (end ?? Number.POSITIVE_INFINITY));

/** The longest time of the ranges that cover an address; undefined where none does. */
function longest(ranges: readonly TimedRange[], family: Family, address: bigint): Monotonic | null | undefined {
  let found: Monotonic | null | undefined;
  for (const range of ranges) {
    if (range.family !== family || address < range.first || address > range.last) continue;
    if (order(range.until) > order(found)) found = range.until;
  }
  return found;
}

describe('disjoint ranges', () => {
  it('give each address the longest time of the ranges that covered it', () => {
    fc.assert(
      fc.property(fc.array(timedRange, { maxLength: 12 }), (ranges) => {
        const result = disjointRanges(ranges);
        for (const { family, base } of PLACES) {
          for (let offset = -1n; offset <= 256n; offset++) {
            const got = longest(result, family, base + offset);
            if (got !== longest(ranges, family, base + offset)) {
              expect.fail(`${family} ${base + offset}: ${got} in ${JSON.stringify(ranges, (_, v) => String(v))}`);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('do not overlap, are in order, not empty, within their family, and merged where neighbours are alike', () => {
    fc.assert(
      fc.property(fc.array(timedRange, { maxLength: 30 }), (ranges) => {
        const result = disjointRanges(ranges);
        for (const [i, { family, first, last, until: end }] of result.entries()) {
          expect(0n <= first && first <= last && last < 2n ** (family === 4 ? 32n : 128n)).toBe(true);
          const next = result[i + 1];
          if (next === undefined || next.family !== family) continue;
          expect(last < next.first).toBe(true);
          expect(last + 1n === next.first && end === next.until).toBe(false);
        }
        expect(result.map(({ family }) => family)).toEqual(result.map(({ family }) => family).sort());
      }),
    );
  });

  it('do not depend on the order of the ranges, and stay what they are when done again', () => {
    const shuffled = fc.array(timedRange, { maxLength: 15 }).chain((ranges) => {
      return fc.tuple(fc.constant(ranges), fc.shuffledSubarray(ranges, { minLength: ranges.length }));
    });
    fc.assert(
      fc.property(shuffled, ([ranges, other]) => {
        const result = disjointRanges(ranges);
        expect(disjointRanges(other)).toEqual(result);
        expect(disjointRanges(result)).toEqual(result);
      }),
    );
  });

  it('that are in for good are what those without an end are merged to', () => {
    fc.assert(
      fc.property(fc.array(timedRange, { maxLength: 30 }), (ranges) => {
        const lasting = ranges.map(({ until: _, ...range }) => range);
        const disjoint = disjointRanges(lasting.map((range) => ({ ...range, until: null })));
        expect(mergedRanges(lasting)).toEqual(disjoint.map(({ until: _, ...range }) => range));
      }),
    );
  });

  const timed = (text: string, end: number | null): TimedRange => ({
    ...rangeOf(parseTarget(text)),
    until: end as Monotonic | null,
  });

  it('keep a short time inside a long one from cutting it, and a long one inside a short', () => {
    const [outer, inner] = [timed('10.0.0.0/8', 5), timed('10.1.0.0/16', 9)];
    expect(disjointRanges([outer, { ...inner, until: 3 as Monotonic }])).toEqual([outer]);
    expect(disjointRanges([outer, inner])).toEqual([
      { ...outer, last: inner.first - 1n },
      inner,
      { ...outer, first: inner.last + 1n },
    ]);
  });

  it('of the whole space are one range, with a hole for what lasts longer', () => {
    for (const text of ['0.0.0.0/0', '::/0']) expect(disjointRanges([timed(text, 5)])).toEqual([timed(text, 5)]);
    const halves = [timed('0.0.0.0/1', 5), timed('128.0.0.0/1', 5), timed('::/1', null), timed('8000::/1', null)];
    expect(disjointRanges(halves)).toEqual([timed('0.0.0.0/0', 5), timed('::/0', null)]);
    const last = timed('255.255.255.255', 9);
    expect(disjointRanges([timed('0.0.0.0/0', 5), last])).toEqual([
      { ...timed('0.0.0.0/0', 5), last: last.first - 1n },
      last,
    ]);
    expect(disjointRanges([])).toEqual([]);
  });
});
