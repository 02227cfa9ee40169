import type { Target } from '../address.js';
import type { KernelElement, SetElement, SetScope } from '../firewall.js';
import { between, type Clock, hours, millis } from '../time.js';

/** The kernel counts in its own ticks, and a listing may round to seconds. */
const TOLERANCE = millis(2500);
/** For held addresses: they are held for a day and more, which need not be exact (held.ts). */
export const HELD_TOLERANCE = hours(2);

/** In what the kernel differs from what should be. */
export interface Drift {
  /** Not there, though it should be. */
  readonly missing: readonly SetElement[];
  /** There, with the wrong time or with none. */
  readonly wrong: readonly SetElement[];
  /** There, though nothing asks for it. */
  readonly extra: readonly { readonly scope: SetScope; readonly target: Target }[];
}

/**
 * Compares the elements of the kernel with those that the ledger asks for.
 * @param tolerance by how much the time left may differ
 */
export function compareElements(
  desired: Iterable<SetElement>,
  kernel: readonly KernelElement[],
  clock: Clock,
  tolerance = TOLERANCE,
): Drift {
  const found = new Map(kernel.map((element) => [`${element.scope} ${element.target}`, element]));
  const missing: SetElement[] = [];
  const wrong: SetElement[] = [];
  const now = clock.monotonic();
  for (const element of desired) {
    const key = `${element.scope} ${element.target}`;
    const seen = found.get(key);
    found.delete(key);
    const left = between(now, element.until);
    if (seen === undefined) {
      if (left > TOLERANCE) missing.push(element);
    } else if (seen.remaining === null || Math.abs(seen.remaining - left) > tolerance) wrong.push(element);
  }
  const extra = [...found.values()].filter(({ remaining }) => remaining === null || remaining > TOLERANCE);
  return { missing, wrong, extra: extra.map(({ scope, target }) => ({ scope, target })) };
}

export function isDrift({ missing, wrong, extra }: Drift): boolean {
  return missing.length + wrong.length + extra.length > 0;
}
