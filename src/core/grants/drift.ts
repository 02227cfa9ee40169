import type { AddressRange } from '../address.js';
import type { ElementPlace, KernelElement, KernelRange, RangeContents, SetElement, SetScope } from '../firewall.js';
import { between, type Clock, hours, type Monotonic, millis } from '../time.js';
import { ElementIndex } from './element-index.js';

/** The kernel counts in its own ticks, and a listing may round to seconds. */
export const TOLERANCE = millis(2500);
/** For held addresses: they are held for a day and more, which need not be exact (held.ts). */
export const HELD_TOLERANCE = hours(2);

/** What an element should be: where, and until when. */
export type Wanted = Pick<SetElement, 'scope' | 'target' | 'until'>;

/** In what the kernel differs from what should be. */
export interface Drift<T extends Wanted = SetElement> {
  /** Not there, though it should be. */
  readonly missing: readonly T[];
  /** There, with the wrong time or with none. */
  readonly wrong: readonly T[];
  /** There, though nothing asks for it. */
  readonly extra: readonly ElementPlace[];
}

/**
 * Compares the elements of the kernel with those that the ledger asks for.
 * @param tolerance by how much the time left may differ
 */
export function compareElements<T extends Wanted>(
  desired: Iterable<T>,
  kernel: Iterable<KernelElement>,
  clock: Clock,
  tolerance = TOLERANCE,
): Drift<T> {
  const left = ElementIndex.of(kernel);
  const missing: T[] = [];
  const wrong: T[] = [];
  for (const element of desired) {
    const seen = left.get(element.scope, element.target);
    if (seen === undefined) {
      if (between(clock.monotonic(), element.until) > TOLERANCE) missing.push(element);
    } else {
      left.delete(element);
      if (seen.until === null || Math.abs(between(element.until, seen.until)) > tolerance) wrong.push(element);
    }
  }
  const extra: ElementPlace[] = [];
  for (const { scope, target, until } of left) {
    if (until === null || between(clock.monotonic(), until) > TOLERANCE) extra.push({ scope, target });
  }
  return { missing, wrong, extra };
}

export function isDrift({ missing, wrong, extra }: Drift<Wanted>): boolean {
  return missing.length + wrong.length + extra.length > 0;
}

/** Whether the interval sets of the kernel, for the scopes that have any, hold something else than they should. */
export function rangesDiffer(
  desired: RangeContents,
  kernel: readonly KernelRange[],
  scopes: ReadonlySet<SetScope>,
  clock: Clock,
): boolean {
  const now = clock.monotonic();
  const found = new Map(kernel.map((range) => [rangeKey(range.holds, range.scope, range), range.remaining]));
  const differs = (holds: KernelRange['holds'], scope: SetScope, range: AddressRange, until: Monotonic | null) => {
    const key = rangeKey(holds, scope, range);
    const remaining = found.get(key);
    found.delete(key);
    if (until === null) return remaining !== null;
    const left = between(now, until);
    return remaining === undefined
      ? left > TOLERANCE
      : remaining === null || Math.abs(remaining - left) > (scope === 'held' ? HELD_TOLERANCE : TOLERANCE);
  };
  for (const [scope, ranges] of desired.entries) {
    if (scopes.has(scope) && ranges.some((range) => differs('entry', scope, range, null))) return true;
  }
  for (const [scope, ranges] of desired.fallback ?? []) {
    if (scopes.has(scope) && ranges.some((range) => differs('previous entry', scope, range, null))) return true;
  }
  for (const [scope, ranges] of desired.grants) {
    if (scopes.has(scope) && ranges.some((range) => differs('grant', scope, range, range.until))) return true;
  }
  return [...found.values()].some((remaining) => remaining === null || remaining > TOLERANCE);
}

function rangeKey(holds: KernelRange['holds'], scope: SetScope, { family, first, last }: AddressRange): string {
  return `${holds} ${scope} ${family} ${first}-${last}`;
}
