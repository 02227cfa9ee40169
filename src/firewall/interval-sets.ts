import type { AddressRange, Family } from '../core/address.js';
import type { KernelRange, RangeContents, SetScope } from '../core/firewall.js';
import type { Monotonic } from '../core/time.js';
import { entrySet, FAMILIES, rangeSet } from './names.js';
import { generationsOf, type Placement, setScopes } from './placement.js';

/** A range of an interval set, with its end where it is that of a grant or of held addresses. */
export type WantedRange = AddressRange & { readonly until?: Monotonic };

/** An interval set of the table. */
export interface IntervalSet {
  readonly set: string;
  readonly family: Family;
  readonly scope: SetScope;
  readonly holds: KernelRange['holds'];
  /** What it should hold, disjoint and in order; none where only the set is asked for. */
  readonly wanted: readonly WantedRange[];
}

/** The interval sets of a placement, each with what it should hold. */
export function* intervalSets(placement: Placement, ranges?: RangeContents): Generator<IntervalSet> {
  for (const family of FAMILIES) {
    const ofFamily = (some: readonly WantedRange[] = []) => some.filter((range) => range.family === family);
    for (const { scopes, slot, isArmed } of generationsOf(placement)) {
      const entries = isArmed ? ranges?.entries : ranges?.fallback;
      const holds = isArmed ? 'entry' : 'previous entry';
      for (const scope of scopes) {
        yield { set: entrySet(scope, family, slot), family, scope, holds, wanted: ofFamily(entries?.get(scope)) };
      }
    }
    for (const scope of setScopes(placement).all) {
      const wanted = ofFamily(ranges?.grants.get(scope));
      yield { set: rangeSet(scope, family), family, scope, holds: 'grant', wanted };
    }
  }
}
