import { setImmediate as breathe } from 'node:timers/promises';
import type { ElementPlace, Firewall, GuardContents, KernelElement, SetElement } from '../core/firewall.js';
import {
  compareElements,
  comparing,
  type Drift,
  HELD_TOLERANCE,
  isDrift,
  rangesDiffer,
  TOLERANCE,
  type Wanted,
} from '../core/grants/drift.js';
import { ElementIndex } from '../core/grants/element-index.js';
import type { State, StepKey, Steps, StepsChange } from '../core/knock/automaton.js';
import type { Clock } from '../core/time.js';
import { newPace } from './pace.js';

/** How many addresses are named in a sentence. */
const NAMED = 5;

/** For so many steps at most does comparing hold the event loop: a few milliseconds. */
const STEPS_AT_ONCE = 5000;

/** Takes in grants that only the kernel knows, so that they are not taken for something that was slipped in. */
export interface Adoption {
  /** Told of elements that nothing asks for; afterwards something may. */
  take(elements: readonly KernelElement[]): void;
  /** Nothing more will be found. */
  end(): void;
}

/** So many differences are looked at and put right in one turn. */
const PIECE = 500;

export interface ContentsRepairOptions {
  readonly firewall: Firewall;
  readonly clock: Clock;
  readonly contents: () => GuardContents;
  /** What should be in the hash sets, of grants or of what is held. */
  readonly wanted: (which: 'open' | 'held') => Iterable<Wanted>;
  /** The element that should be at a place, as things stand now. */
  readonly elementAt: (place: ElementPlace) => SetElement | undefined;
  readonly steps: () => Steps;
}

/**
 * Compares what fills the guard in the kernel with what should, and puts it right. There may be hundreds of thousands of
 * elements: the comparing rests now and then, and what it finds is only a suspicion. Each suspect is looked up again by
 * itself, and what is still wrong then is put right in the same turn: what is opened or closed meanwhile comes before or
 * after, and is not undone.
 */
export class ContentsRepair {
  readonly #firewall: Firewall;
  readonly #clock: Clock;
  readonly #contents: () => GuardContents;
  readonly #wanted: ContentsRepairOptions['wanted'];
  readonly #elementAt: ContentsRepairOptions['elementAt'];
  readonly #steps: () => Steps;
  /** For each look under way, the steps that we have changed since it began. */
  readonly #looks = new Set<Set<StepKey>>();

  constructor(options: ContentsRepairOptions) {
    this.#firewall = options.firewall;
    this.#clock = options.clock;
    this.#contents = options.contents;
    this.#wanted = options.wanted;
    this.#elementAt = options.elementAt;
    this.#steps = options.steps;
  }

  /** Whether anything differs, both times that it is looked at: what is being changed is no drift. */
  async hasDrift(): Promise<boolean> {
    return (await this.#differs()) && (await this.#differs());
  }

  async #differs(): Promise<boolean> {
    for (const which of ['open', 'held'] as const) {
      if (isDrift(await this.#suspects(which, await this.#read(which)))) return true;
    }
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

  /**
   * Puts right who is let in.
   * @param seen what was read of the kernel a moment ago; used up
   */
  async correctOpen(seen?: ElementIndex<KernelElement>): Promise<string[]> {
    const { missing, wrong, extra } = await this.correctGrants(seen);
    await this.#firewall.setRanges(this.#contents().ranges);
    return [...tell('deleted', missing), ...tell('given another time', wrong), ...tell('let in past us', extra)];
  }

  /** Puts right which sequences open. */
  async correctSteps(): Promise<string[]> {
    return (await this.#stepsDrift({ correct: true })) ? ['the sequences were changed'] : [];
  }

  /** Puts right who is held. */
  async correctHeld(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements('held', await this.#read('held'));
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
   * Puts right the elements of grants.
   * @param seen what was read of the kernel a moment ago; used up
   * @param adoption told of elements that nothing asks for, before they are removed
   */
  async correctGrants(seen?: ElementIndex<KernelElement>, adoption?: Adoption): Promise<Drift> {
    return await this.#correctElements('open', seen ?? (await this.#read('open')), adoption);
  }

  async #correctElements(
    which: 'open' | 'held',
    seen: ElementIndex<KernelElement>,
    adoption?: Adoption,
  ): Promise<Drift> {
    const first = await this.#suspects(which, seen);
    if (!isDrift(first)) return { missing: [], wrong: [], extra: [] };
    const places: ElementPlace[] = [...first.missing, ...first.wrong, ...first.extra];
    await this.#settled();
    const kernel = ElementIndex.of(await this.#firewall.findElements(places));
    const found: { [K in keyof Drift]: Drift[K][number][] } = { missing: [], wrong: [], extra: [] };
    const pace = newPace(this.#clock);
    const written: Promise<void>[] = [];
    for (let start = 0; start < places.length; start += PIECE) {
      const { missing, wrong, extra } = this.#compareAt(places.slice(start, start + PIECE), kernel, which, adoption);
      found.missing.push(...missing);
      found.wrong.push(...wrong);
      found.extra.push(...extra);
      const work = this.#firewall.change({ present: [...missing, ...wrong], absent: extra, answered: [] });
      work.catch(() => undefined);
      written.push(work);
      if (pace.isDue) await pace.rest();
    }
    await Promise.all(written);
    return found;
  }

  /** Compares as things stand now, in one turn. */
  #compareAt(
    places: readonly ElementPlace[],
    kernel: ElementIndex<KernelElement>,
    which: 'open' | 'held',
    adoption: Adoption | undefined,
  ): Drift {
    const elements = places.flatMap(({ scope, target }) => kernel.get(scope, target) ?? []);
    const isUnknown = (element: KernelElement) => this.#elementAt(element) === undefined;
    adoption?.take(elements.filter(isUnknown));
    const desired = places.flatMap((place) => this.#elementAt(place) ?? []);
    return compareElements(desired, elements, this.#clock, which === 'held' ? HELD_TOLERANCE : TOLERANCE);
  }

  #suspects(which: 'open' | 'held', kernel: ElementIndex<KernelElement>): Promise<Drift<Wanted>> {
    const tolerance = which === 'held' ? HELD_TOLERANCE : TOLERANCE;
    return newPace(this.#clock).finish(comparing(this.#guarded(which), kernel, this.#clock, tolerance));
  }

  async #read(which: 'open' | 'held'): Promise<ElementIndex<KernelElement>> {
    await this.#settled();
    return await (which === 'held' ? this.#firewall.readHeld() : this.#firewall.readElements());
  }

  /** Whatever is being written is in the kernel when this resolves. */
  async #settled(): Promise<void> {
    await this.#firewall.change({ present: [], absent: [], answered: [] });
  }

  *#guarded(which: 'open' | 'held'): Generator<Wanted> {
    for (const element of this.#wanted(which)) if (this.#firewall.scopes.has(element.scope)) yield element;
  }
}

function tell(what: string, items: readonly { readonly target: string }[]): string[] {
  if (items.length === 0) return [];
  const targets = [...new Set(items.map(({ target }) => target))];
  const more = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
  return [`${what}: ${targets.slice(0, NAMED).join(', ')}${more}`];
}
