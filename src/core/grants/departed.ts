import { parseTarget, type Target } from '../address.js';
import type { Instant } from '../time.js';

/**
 * An entry that was taken away, and when. It never had an end that a grant's record could tell, and what it let in is to
 * stay out all the same: see held.ts.
 */
export interface Departed {
  readonly target: Target;
  readonly at: Instant;
}

/** As the store keeps them: `203.0.113.7@1700000000000 2001:db8::/48@1700000000000`. */
export function formatDeparted(departed: Iterable<Departed>): string {
  return [...departed].map(({ target, at }) => `${target}@${Math.floor(at)}`).join(' ');
}

/** Reads what `formatDeparted` wrote; what cannot be read is left out. */
export function parseDeparted(text: string | undefined): Departed[] {
  return (text ?? '').split(' ').flatMap((item) => {
    const [target, at, ...rest] = item.split('@');
    if (target === undefined || at === undefined || rest.length > 0 || !/^\d{1,15}$/.test(at)) return [];
    try {
      return [{ target: parseTarget(target), at: Number(at) as Instant }];
    } catch {
      return [];
    }
  });
}
