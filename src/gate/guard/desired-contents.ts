import type { Target } from '../../core/address.js';
import type { Entry } from '../../core/entry.js';
import type { ElementKind, ElementPlace, RangeContents, SetElement } from '../../core/firewall.js';
import type { Wanted } from '../../core/grants/drift.js';
import { elementsOf, isHashTarget, rangesOf } from '../../core/grants/elements.js';
import type { Grant } from '../../core/grants/grant.js';
import type { HeldTargets } from '../../core/grants/held.js';
import type { GrantLedger } from '../../core/grants/ledger.js';
import type { Monotonic } from '../../core/time.js';

export interface DesiredContentsOptions {
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly ipv6Prefix: 64 | 128;
  /** Entries of the store and of the configuration, and what tracked names stand for. */
  readonly entries: () => Iterable<Pick<Entry, 'target' | 'services'>>;
  /** Those that the previous rules let in; null where there are none to come back to. */
  readonly fallbackEntries: () => Iterable<Pick<Entry, 'target' | 'services'>> | null;
}

/** What the sets of the kernel should hold, as ledger, held addresses and entries stand at the moment. */
export class DesiredContents {
  readonly #o: DesiredContentsOptions;

  constructor(options: DesiredContentsOptions) {
    this.#o = options;
  }

  /** How many grants there are. */
  get grants(): number {
    return this.#o.ledger.size;
  }

  /** What the hash sets should hold, as the ledger stands. */
  *elements(): Generator<SetElement> {
    const { ledger, held, ipv6Prefix } = this.#o;
    for (const target of ledger.targets()) {
      if (!isHashTarget(target, ipv6Prefix)) continue;
      yield* elementsOf(target, ledger.atTarget(target));
    }
    for (const [target, until] of held.all()) {
      if (isHashTarget(target, ipv6Prefix)) yield { scope: 'held', target, until, comment: null };
    }
  }

  /** What the hash sets should hold, in outline. */
  *wanted(which: ElementKind): Generator<Wanted> {
    const { ledger, held, ipv6Prefix } = this.#o;
    if (which === 'held') {
      for (const [target, until] of held.all()) {
        if (isHashTarget(target, ipv6Prefix)) yield { scope: 'held', target, until };
      }
      return;
    }
    for (const target of ledger.targets()) {
      if (!isHashTarget(target, ipv6Prefix)) continue;
      const grants = ledger.atTarget(target);
      const [first] = grants;
      if (first === undefined || grants.length > 1) yield* elementsOf(target, grants);
      else for (const scope of first.services) yield { scope, target, until: first.expires };
    }
  }

  /** Until when a hash set should hold an element at a place; undefined where it should hold none. */
  untilAt({ scope, target }: ElementPlace): Monotonic | undefined {
    const { ledger, held, ipv6Prefix } = this.#o;
    if (!isHashTarget(target, ipv6Prefix)) return undefined;
    if (scope === 'held') return held.until(target);
    let until: Monotonic | undefined;
    for (const { services, expires } of ledger.atTarget(target)) {
      if (services.includes(scope) && (until === undefined || expires > until)) until = expires;
    }
    return until;
  }

  /** The element that a hash set should hold at a place, as the ledger stands. */
  elementAt({ scope, target }: ElementPlace): SetElement | undefined {
    const { ledger, held, ipv6Prefix } = this.#o;
    if (!isHashTarget(target, ipv6Prefix)) return undefined;
    if (scope !== 'held') return elementsOf(target, ledger.atTarget(target)).find((one) => one.scope === scope);
    const until = held.until(target);
    return until === undefined ? undefined : { scope, target, until, comment: null };
  }

  /** What the interval sets should hold. */
  ranges(): RangeContents {
    const { ledger, held, ipv6Prefix, entries, fallbackEntries } = this.#o;
    const grants: Grant[] = [];
    const heldRanges: { target: Target; until: Monotonic }[] = [];
    for (const grant of ledger.all()) if (!isHashTarget(grant.target, ipv6Prefix)) grants.push(grant);
    for (const [target, until] of held.all()) if (!isHashTarget(target, ipv6Prefix)) heldRanges.push({ target, until });
    return rangesOf(entries(), grants, heldRanges, fallbackEntries());
  }
}
