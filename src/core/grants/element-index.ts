import type { Target } from '../address.js';
import type { ElementPlace, SetScope } from '../firewall.js';

/** Elements by their place, without a text made for each: there may be hundreds of thousands. */
export class ElementIndex<T extends ElementPlace> implements Iterable<T> {
  readonly #byScope = new Map<SetScope, Map<Target, T>>();
  #size = 0;

  static of<T extends ElementPlace>(elements: Iterable<T>): ElementIndex<T> {
    const index = new ElementIndex<T>();
    for (const element of elements) index.add(element);
    return index;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes the place of another there. */
  add(element: T): void {
    const known = this.#byScope.get(element.scope) ?? new Map<Target, T>();
    if (known.size === 0) this.#byScope.set(element.scope, known);
    const before = known.size;
    known.set(element.target, element);
    this.#size += known.size - before;
  }

  get(scope: SetScope, target: Target): T | undefined {
    return this.#byScope.get(scope)?.get(target);
  }

  delete({ scope, target }: ElementPlace): void {
    if (this.#byScope.get(scope)?.delete(target) === true) this.#size--;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const elements of this.#byScope.values()) yield* elements.values();
  }
}
