import type { Firewall, GuardContents, SetElement } from '../core/firewall.js';
import { compareElements, type Drift, isDrift } from '../core/grants/drift.js';
import { diffSteps, type Steps } from '../core/knock/automaton.js';
import type { Clock } from '../core/time.js';

/** How many addresses are named in a sentence. */
const NAMED = 5;

/** Compares what fills the guard in the kernel with what should, and puts it right. */
export class ContentsRepair {
  readonly #firewall: Firewall;
  readonly #clock: Clock;
  readonly #contents: () => GuardContents;
  readonly #steps: () => Steps;

  constructor(options: { firewall: Firewall; clock: Clock; contents: () => GuardContents; steps: () => Steps }) {
    this.#firewall = options.firewall;
    this.#clock = options.clock;
    this.#contents = options.contents;
    this.#steps = options.steps;
  }

  /** Whether elements or steps differ; the interval sets cannot be told apart cheaply and are not looked at. */
  async hasDrift(): Promise<boolean> {
    if (isDrift(await this.#compare())) return true;
    const { removed, added } = diffSteps(await this.#firewall.readSteps(), this.#steps());
    return removed.length + added.length > 0;
  }

  /** Puts everything right; tells in words what was wrong, as far as it can be told. */
  async correct(): Promise<string[]> {
    const found = [...(await this.#correctElements()), ...(await this.#correctSteps())];
    await this.#firewall.setRanges(this.#contents().ranges);
    return found;
  }

  async #correctSteps(): Promise<string[]> {
    const { removed, added } = diffSteps(await this.#firewall.readSteps(), this.#steps());
    if (removed.length + added.length === 0) return [];
    await this.#firewall.changeSteps(removed, added);
    return ['the sequences were changed'];
  }

  /** Looks twice, so that a change under way is not taken for drift. */
  async #correctElements(): Promise<string[]> {
    if (!isDrift(await this.#compare())) return [];
    const { missing, wrong, extra } = await this.#compare();
    // The held addresses are not compared; after any drift they are written anew.
    const held = [...this.#contents().elements].filter(({ scope }) => scope === 'held');
    await this.#firewall.change({ present: [...missing, ...wrong, ...held], absent: extra, answered: [] });
    return [...tell('deleted', missing), ...tell('given another time', wrong), ...tell('let in past us', extra)];
  }

  async #compare(): Promise<Drift> {
    // Whatever is being written is in the kernel when this resolves.
    await this.#firewall.change({ present: [], absent: [], answered: [] });
    return compareElements(grants(this.#contents().elements), await this.#firewall.readElements(), this.#clock);
  }
}

function* grants(elements: Iterable<SetElement>): Generator<SetElement> {
  for (const element of elements) if (element.scope !== 'held') yield element;
}

function tell(what: string, items: readonly { readonly target: string }[]): string[] {
  if (items.length === 0) return [];
  const targets = [...new Set(items.map(({ target }) => target))];
  const more = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
  return [`${what}: ${targets.slice(0, NAMED).join(', ')}${more}`];
}
