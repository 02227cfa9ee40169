import { setImmediate as breathe } from 'node:timers/promises';
import type { Firewall, GuardContents, SetElement } from '../core/firewall.js';
import { compareElements, type Drift, HELD_TOLERANCE, isDrift, rangesDiffer } from '../core/grants/drift.js';
import type { State, StepKey, Steps, StepsChange } from '../core/knock/automaton.js';
import type { Clock } from '../core/time.js';

/** How many addresses are named in a sentence. */
const NAMED = 5;

/** For so many steps at most does comparing hold the event loop: a few milliseconds. */
const STEPS_AT_ONCE = 5000;

/** Compares what fills the guard in the kernel with what should, and puts it right. */
export class ContentsRepair {
  readonly #firewall: Firewall;
  readonly #clock: Clock;
  readonly #contents: () => GuardContents;
  readonly #steps: () => Steps;
  /** For each look under way, the steps that we have changed since it began. */
  readonly #looks = new Set<Set<StepKey>>();

  constructor(options: { firewall: Firewall; clock: Clock; contents: () => GuardContents; steps: () => Steps }) {
    this.#firewall = options.firewall;
    this.#clock = options.clock;
    this.#contents = options.contents;
    this.#steps = options.steps;
  }

  /** Whether anything differs, both times that it is looked at: what is being changed is no drift. */
  async hasDrift(): Promise<boolean> {
    return (await this.#differs()) && (await this.#differs());
  }

  async #differs(): Promise<boolean> {
    if (isDrift((await this.#grants())()) || isDrift((await this.#held())())) return true;
    return (await this.#stepsDrift({ correct: false })) || (await this.#rangesDiffer());
  }

  async #rangesDiffer(): Promise<boolean> {
    const ranges = await this.#firewall.readRanges();
    return rangesDiffer(this.#contents().ranges, ranges, this.#firewall.scopes, this.#clock);
  }

  /**
   * Puts everything right; tells in words what was wrong.
   * @param isThorough tells of the interval sets as well, which takes long; they are written anew in any case
   */
  async correct(isThorough = false): Promise<string[]> {
    const ranges = isThorough && (await this.#rangesDiffer()) ? ['the ranges were changed'] : [];
    const open = await this.correctOpen();
    return [...open, ...(await this.correctSteps()), ...ranges, ...(await this.correctHeld())];
  }

  /** Puts right who is let in. */
  async correctOpen(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements(() => this.#grants());
    await this.#firewall.setRanges(this.#contents().ranges);
    return [...tell('deleted', missing), ...tell('given another time', wrong), ...tell('let in past us', extra)];
  }

  /** Puts right which sequences open. */
  async correctSteps(): Promise<string[]> {
    return (await this.#stepsDrift({ correct: true })) ? ['the sequences were changed'] : [];
  }

  /** Puts right who is held. */
  async correctHeld(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements(() => this.#held());
    return tell('changed among the held', [...missing, ...wrong, ...extra]);
  }

  /** The steps have changed, and it is being written: that is no drift. */
  stepsChanged({ removed, added }: StepsChange): void {
    for (const changed of this.#looks) {
      for (const key of removed) changed.add(key);
      for (const [key] of added) changed.add(key);
    }
  }

  /**
   * Whether the steps in the kernel differ from those that should be there; what we have changed ourselves meanwhile is left
   * out. Puts it right if asked: queued in the turn of the comparison, so that no change of ours comes between.
   */
  async #stepsDrift({ correct }: { correct: boolean }): Promise<boolean> {
    const changed = new Set<StepKey>();
    this.#looks.add(changed);
    try {
      // In its turn: what was changed before is in the kernel then.
      await this.#firewall.changeSteps([], []);
      const found = await this.#firewall.readSteps();
      const wanted = this.#steps();
      const stale: StepKey[] = [];
      const missing: [StepKey, State][] = [];
      let compared = 0;
      for (const [key, to] of found) {
        if (wanted.get(key) !== to) stale.push(key);
        if (++compared % STEPS_AT_ONCE === 0) await breathe();
      }
      for (const [key, to] of wanted) {
        if (found.get(key) !== to) missing.push([key, to]);
        if (++compared % STEPS_AT_ONCE === 0) await breathe();
      }
      const removed = stale.filter((key) => !changed.has(key));
      const added = missing.filter(([key]) => !changed.has(key));
      if (removed.length + added.length === 0) return false;
      if (correct) await this.#firewall.changeSteps(removed, added);
      return true;
    } finally {
      this.#looks.delete(changed);
    }
  }

  /**
   * Looks twice, so that a change under way is not taken for drift: only what was wrong both times is. Compared and acted on
   * in one turn: what is opened or closed meanwhile comes before or after, and is not undone.
   */
  async #correctElements(look: () => Promise<() => Drift>): Promise<Drift> {
    const first = (await look())();
    if (!isDrift(first)) return first;
    const compare = await look();
    const drift = inBoth(first, compare());
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
    for (const element of this.#contents().elements) {
      if ((element.scope === 'held') === areHeld && this.#firewall.scopes.has(element.scope)) yield element;
    }
  }
}

/** What the second look found that the first had found, too. */
function inBoth(first: Drift, second: Drift): Drift {
  const key = ({ scope, target }: Drift['extra'][number]) => `${scope} ${target}`;
  const before = new Set([...first.missing, ...first.wrong, ...first.extra].map(key));
  const isStill = (one: Drift['extra'][number]) => before.has(key(one));
  const { missing, wrong, extra } = second;
  return { missing: missing.filter(isStill), wrong: wrong.filter(isStill), extra: extra.filter(isStill) };
}

function tell(what: string, items: readonly { readonly target: string }[]): string[] {
  if (items.length === 0) return [];
  const targets = [...new Set(items.map(({ target }) => target))];
  const more = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
  return [`${what}: ${targets.slice(0, NAMED).join(', ')}${more}`];
}
