import type { Target } from '../core/address.js';
import type { ElementChange, SetElement, SetScope } from '../core/firewall.js';
import { elementsOf, isHashTarget } from '../core/grants/elements.js';
import type { Grant } from '../core/grants/grant.js';
import type { HeldTargets } from '../core/grants/held.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import type { Clock, Monotonic } from '../core/time.js';

/** The part of the packet filter that grants go to. Does nothing while no rules of ours are in the kernel. */
export interface Door {
  change(change: ElementChange): Promise<void>;
  /** Brings the interval sets to what they should hold. */
  setRanges(): Promise<void>;
  /** A knock has opened: whoever set this up can get in. */
  proven(): void;
}

export interface GrantElementsOptions {
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly door: Door;
  readonly clock: Clock;
  readonly ipv6Prefix: 64 | 128;
}

/** Whose elements are to be looked at, and for which services the kernel may have some. */
export type Touched = Pick<Grant, 'target' | 'services'>;

/** The elements of grants in the kernel, and of the targets that they have held. */
export class GrantElements {
  readonly #o: GrantElementsOptions;

  constructor(options: GrantElementsOptions) {
    this.#o = options;
  }

  /**
   * Brings the kernel to what the ledger says of the targets of these grants.
   * @param grants as they are, and as they were: the kernel may have elements for their services
   */
  async write(grants: readonly Touched[], answered: ElementChange['answered']): Promise<void> {
    const services = new Map<Target, Set<SetScope>>();
    for (const grant of grants) {
      const known = services.get(grant.target) ?? new Set();
      services.set(grant.target, known);
      for (const service of grant.services) known.add(service);
    }
    const present: SetElement[] = [];
    const absent: { scope: SetScope; target: Target }[] = [];
    let rangesChanged = false;
    for (const [target, scopes] of services) {
      const open = this.#o.ledger.atTarget(target);
      const heldUntil = this.#hold(target, open);
      if (!isHashTarget(target, this.#o.ipv6Prefix)) {
        rangesChanged = true;
        continue;
      }
      const elements = elementsOf(target, open);
      present.push(...elements);
      if (heldUntil !== undefined) present.push({ scope: 'held', target, until: heldUntil, comment: null });
      for (const { scope } of elements) scopes.delete(scope);
      for (const scope of scopes) absent.push({ scope, target });
    }
    const writes: Promise<void>[] = [];
    if (present.length + absent.length + answered.length > 0)
      writes.push(this.#o.door.change({ present, absent, answered }));
    if (rangesChanged) writes.push(this.#o.door.setRanges());
    await Promise.all(writes);
  }

  #hold(target: Target, grants: readonly Grant[]): Monotonic | undefined {
    if (grants.length === 0) return undefined;
    return this.#o.held.hold(target, Math.max(...grants.map(({ expires }) => expires)) as Monotonic);
  }

  /**
   * Keeps targets that were in, without a grant, from coming back as replies (core/grants/held.ts). Networks are in the
   * kernel only when the ranges are set the next time.
   */
  async hold(targets: Iterable<Target>): Promise<void> {
    const present: SetElement[] = [];
    for (const target of targets) {
      const until = this.#o.held.hold(target, this.#o.clock.monotonic());
      const isNew = until !== undefined && isHashTarget(target, this.#o.ipv6Prefix);
      if (isNew) present.push({ scope: 'held', target, until, comment: null });
    }
    if (present.length > 0) await this.#o.door.change({ present, absent: [], answered: [] });
  }
}
