import type { Target } from '../address.js';
import type { ElementPlace, SetScope } from '../firewall.js';

/** Elements by their place, without a text made for each: there may be hundreds of thousands. */
export class ElementIndex<T extends ElementPlace> {
  readonly #byScope = new Map<SetScope, Map<Target, T>>();

  add(element: T): void {
    const known = this.#byScope.get(element.scope);
    if (known === undefined) this.#byScope.set(element.scope, new Map([[element.target, element]]));
    else known.set(element.target, element);
  }

  get({ scope, target }: ElementPlace): T | undefined {
    return this.#byScope.get(scope)?.get(target);
  }

  delete({ scope, target }: ElementPlace): void {
    this.#byScope.get(scope)?.delete(target);
  }

  *all(): Generator<T> {
    for (const elements of this.#byScope.values()) yield* elements.values();
  }
}
