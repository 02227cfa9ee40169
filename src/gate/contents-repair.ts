import type { Firewall, GuardContents, SetElement } from '../core/firewall.js';
import { compareElements, type Drift, HELD_TOLERANCE, isDrift } from '../core/grants/drift.js';
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
    if (isDrift((await this.#grants())()) || isDrift((await this.#held())())) return true;
    const { removed, added } = diffSteps(await this.#firewall.readSteps(), this.#steps());
    return removed.length + added.length > 0;
  }

  /** Puts everything right; tells in words what was wrong, as far as it can be told. */
  async correct(): Promise<string[]> {
    return [...(await this.correctOpen()), ...(await this.correctHeld())];
  }

  /** Puts right who is let in, and by which sequences. */
  async correctOpen(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements(() => this.#grants());
    const steps = await this.#correctSteps();
    await this.#firewall.setRanges(this.#contents().ranges);
    return [
      ...tell('deleted', missing),
      ...tell('given another time', wrong),
      ...tell('let in past us', extra),
      ...steps,
    ];
  }

  /** Puts right who is held. */
  async correctHeld(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements(() => this.#held());
    return tell('changed among the held', [...missing, ...wrong, ...extra]);
  }

  async #correctSteps(): Promise<string[]> {
    const { removed, added } = diffSteps(await this.#firewall.readSteps(), this.#steps());
    if (removed.length + added.length === 0) return [];
    await this.#firewall.changeSteps(removed, added);
    return ['the sequences were changed'];
  }

  /**
   * Looks twice, so that a change under way is not taken for drift. Compared and acted on in one turn: what is opened or
   * closed meanwhile comes before or after, and is not undone.
   */
  async #correctElements(look: () => Promise<() => Drift>): Promise<Drift> {
    const first = (await look())();
    if (!isDrift(first)) return first;
    const compare = await look();
    const drift = compare();
    const { missing, wrong, extra } = drift;
    if (isDrift(drift)) {
      await this.#firewall.change({ present: [...missing, ...wrong], absent: extra, answered: [] });
    }
    return drift;
  }

  async #grants(): Promise<() => Drift> {
    await this.#settled();
    const elements = await this.#firewall.readElements();
    return () => compareElements(this.#elements(false), elements, this.#clock);
  }

  async #held(): Promise<() => Drift> {
    await this.#settled();
    const elements = await this.#firewall.readHeld();
    return () => compareElements(this.#elements(true), elements, this.#clock, HELD_TOLERANCE);
  }

  /** Whatever is being written is in the kernel when this resolves. */
  async #settled(): Promise<void> {
    await this.#firewall.change({ present: [], absent: [], answered: [] });
  }

  *#elements(areHeld: boolean): Generator<SetElement> {
    for (const element of this.#contents().elements) if ((element.scope === 'held') === areHeld) yield element;
  }
}

function tell(what: string, items: readonly { readonly target: string }[]): string[] {
  if (items.length === 0) return [];
  const targets = [...new Set(items.map(({ target }) => target))];
  const more = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
  return [`${what}: ${targets.slice(0, NAMED).join(', ')}${more}`];
}
