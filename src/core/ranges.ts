import type { AddressRange, Family } from './address.js';
import { MinHeap } from './heap.js';
import type { Monotonic } from './time.js';

/** A range of addresses that is in until a moment, or for good (null). */
export interface TimedRange extends AddressRange {
  readonly until: Monotonic | null;
}

/**
 * Turns ranges that may overlap in any way into disjoint ones, each with the longest time of those that cover it;
 * neighbours of equal time are one. The kernel must never see an overlap: merged there, the longer time is lost.
 * O(n log n).
 */
export function disjointRanges(ranges: Iterable<TimedRange>): TimedRange[] {
  const all = inOrder(ranges);
  const result: TimedRange[] = [];
  for (const family of [4, 6] as const)
    sweep(
      all.filter((range) => range.family === family),
      family,
      result,
    );
  return result;
}

/** As `disjointRanges` where all are in for good: neighbours are one. */
export function mergedRanges(ranges: Iterable<AddressRange>): AddressRange[] {
  const result: AddressRange[] = [];
  for (const range of inOrder(ranges)) {
    const before = result.at(-1);
    if (before?.family !== range.family || range.first > before.last + 1n) result.push(range);
    else if (range.last > before.last) result[result.length - 1] = { ...before, last: range.last };
  }
  return result;
}

function inOrder<T extends AddressRange>(ranges: Iterable<T>): T[] {
  return [...ranges].sort((a, b) => a.family - b.family || compare(a.first, b.first));
}

function sweep(sorted: readonly TimedRange[], family: Family, result: TimedRange[]): void {
  const active = new MinHeap<TimedRange>();
  let next = 0;
  let position = 0n;
  while (next < sorted.length || active.size > 0) {
    const upcoming = sorted[next];
    if (upcoming !== undefined && (active.size === 0 || upcoming.first <= position)) {
      if (active.size === 0 && upcoming.first > position) position = upcoming.first;
      active.push(-order(upcoming), upcoming);
      next++;
      continue;
    }
    const longest = active.peek()?.value;
    if (longest === undefined) break;
    if (longest.last < position) {
      active.pop();
      continue;
    }
    const last = upcoming !== undefined && upcoming.first <= longest.last ? upcoming.first - 1n : longest.last;
    append(result, { family, first: position, last, until: longest.until });
    position = last + 1n;
  }
}

function append(result: TimedRange[], range: TimedRange): void {
  const before = result.at(-1);
  const continues = before?.family === range.family && before.last + 1n === range.first && before.until === range.until;
  if (before !== undefined && continues) result[result.length - 1] = { ...before, last: range.last };
  else result.push(range);
}

function order(range: TimedRange): number {
  return range.until ?? Number.POSITIVE_INFINITY;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
