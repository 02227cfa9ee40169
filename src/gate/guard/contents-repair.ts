import { setImmediate as breathe } from 'node:timers/promises';
import type { Target } from '../../core/address.js';
import type { ElementKind, ElementPlace, Firewall, KernelElement, SetScope } from '../../core/firewall.js';
import {
  compareElements,
  type Drift,
  HELD_TOLERANCE,
  rangesDiffer,
  TOLERANCE,
  type Wanted,
} from '../../core/grants/drift.js';
import { ElementIndex } from '../../core/grants/element-index.js';
import type { State, StepKey, Steps, StepsChange } from '../../core/knock/automaton.js';
import { between, type Clock, type Duration } from '../../core/time.js';
import { newPace } from '../pace.js';
import type { DesiredContents } from './desired-contents.js';

/** How many addresses are named in a sentence. */
const NAMED = 5;

/** For so many steps at most does comparing hold the event loop: a few milliseconds. */
const STEPS_AT_ONCE = 5000;

/** Takes in grants that only the kernel knows, so that they are not taken for something that was slipped in. */
export interface Adoption {
  /**
   * Told of elements that nothing asks for; afterwards something may.
   * @returns places for which nothing asks any more
   */
  take(elements: readonly KernelElement[]): readonly ElementPlace[];
  /** Nothing more will be found. */
  end(): void;
}

/** So many differences are looked at and put right in one turn. */
const PIECE = 500;

export interface ContentsRepairOptions {
  readonly firewall: Firewall;
  readonly clock: Clock;
  readonly desired: DesiredContents;
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
  readonly #desired: DesiredContents;
  readonly #steps: () => Steps;
  /** For each look under way, the steps that we have changed since it began. */
  readonly #looks = new Set<Set<StepKey>>();

  constructor(options: ContentsRepairOptions) {
    this.#firewall = options.firewall;
    this.#clock = options.clock;
    this.#desired = options.desired;
    this.#steps = options.steps;
  }

  /** Whether anything differs, both times that it is looked at: what is being changed is no drift. */
  async hasDrift(): Promise<boolean> {
    return (await this.#differs()) && (await this.#differs());
  }

  async #differs(): Promise<boolean> {
    for (const which of ['open', 'held'] as const) if ((await this.#suspects(which)).length > 0) return true;
    return (await this.#stepsDrift({ correct: false })) || (await this.#rangesDiffer());
  }

  async #rangesDiffer(): Promise<boolean> {
    const ranges = await this.#firewall.readRanges();
    return rangesDiffer(this.#desired.ranges(), ranges, this.#firewall.scopes, this.#clock);
  }

  /**
   * Puts everything right; tells in words what was wrong.
   * @param isThorough tells of the interval sets as well; they are written anew in any case
   */
  async correct(isThorough = false): Promise<string[]> {
    const ranges = isThorough && (await this.#rangesDiffer()) ? ['the ranges were changed'] : [];
    const open = await this.correctOpen();
    return [...open, ...(await this.correctSteps()), ...ranges, ...(await this.correctHeld())];
  }

  /**
   * Puts right who is let in.
   * @param suspects where to look; left out: everywhere
   */
  async correctOpen(suspects?: readonly ElementPlace[]): Promise<string[]> {
    const { missing, wrong, extra } = await this.correctGrants(suspects);
    await this.#firewall.setRanges(this.#desired.ranges(), true);
    return [...tell('deleted', missing), ...tell('given another time', wrong), ...tell('let in past us', extra)];
  }

  /** Puts right which sequences open. */
  async correctSteps(): Promise<string[]> {
    return (await this.#stepsDrift({ correct: true })) ? ['the sequences were changed'] : [];
  }

  /** Puts right who is held. */
  async correctHeld(): Promise<string[]> {
    const { missing, wrong, extra } = await this.#correctElements('held', await this.#suspects('held'));
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
   * @param suspects where to look; left out: everywhere
   * @param adoption told of elements that nothing asks for, before they are removed
   */
  async correctGrants(suspects?: readonly ElementPlace[], adoption?: Adoption): Promise<Drift> {
    return await this.#correctElements('open', suspects ?? (await this.#suspects('open')), adoption);
  }

  /** Tells of all elements of grants that nothing asks for. */
  async adoptAll(adoption: Adoption): Promise<void> {
    const unknown = new ElementIndex<KernelElement>();
    await this.#firewall.showElements('open', (element) => {
      if (this.#desired.untilAt(element) !== undefined) return false;
      const before = unknown.size;
      unknown.add(element);
      return unknown.size > before;
    });
    adoption.take([...unknown]);
  }

  async #correctElements(which: ElementKind, places: readonly ElementPlace[], adoption?: Adoption): Promise<Drift> {
    const found: { [K in keyof Drift]: Drift[K][number][] } = { missing: [], wrong: [], extra: [] };
    if (places.length === 0) return found;
    await this.#settled();
    const kernel = ElementIndex.of(await this.#firewall.findElements(places));
    const pace = newPace(this.#clock);
    const written: Promise<void>[] = [];
    const left: ElementPlace[] = [];
    for (let start = 0; start < places.length; start += PIECE) {
      const piece = places.slice(start, start + PIECE);
      if (adoption !== undefined) {
        const isUnknown = (element: KernelElement) => this.#desired.elementAt(element) === undefined;
        left.push(...adoption.take(elementsAt(piece, kernel).filter(isUnknown)));
      }
      const { missing, wrong, extra } = this.#compareAt(piece, kernel, which);
      found.missing.push(...missing);
      found.wrong.push(...wrong);
      found.extra.push(...extra);
      const work = this.#firewall.change({ present: [...missing, ...wrong], absent: extra, answered: [] });
      work.catch(() => undefined);
      written.push(work);
      if (pace.isDue) await pace.rest();
    }
    await Promise.all(written);
    if (left.length > 0) await this.#correctElements(which, left);
    return found;
  }

  /** Compares as things stand now, in one turn. */
  #compareAt(places: readonly ElementPlace[], kernel: ElementIndex<KernelElement>, which: ElementKind): Drift {
    const desired = places.flatMap((place) => this.#desired.elementAt(place) ?? []);
    return compareElements(desired, elementsAt(places, kernel), this.#clock, toleranceOf(which));
  }

  /**
   * The places where something may be wrong. Of what is as it should be only the targets are kept in memory, and only until
   * it is known what is missing.
   */
  async #suspects(which: ElementKind): Promise<ElementPlace[]> {
    await this.#settled();
    const seen = new Map<SetScope, Set<Target>>();
    const suspects = new ElementIndex<ElementPlace>();
    await this.#firewall.showElements(which, (element) => {
      const { scope, target } = element;
      const targets = seen.get(scope) ?? new Set<Target>();
      if (targets.size === 0) seen.set(scope, targets);
      const before = targets.size;
      targets.add(target);
      if (!this.#isRight(element, which)) suspects.add({ scope, target });
      return targets.size > before;
    });
    const pace = newPace(this.#clock);
    for (const { scope, target, until } of this.#guarded(which)) {
      const isMissing = seen.get(scope)?.has(target) !== true && between(this.#clock.monotonic(), until) > TOLERANCE;
      if (isMissing) suspects.add({ scope, target });
      if (pace.isDue) await pace.rest();
    }
    return [...suspects];
  }

  #isRight({ scope, target, until }: KernelElement, which: ElementKind): boolean {
    if (until === null) return false;
    const wanted = this.#desired.untilAt({ scope, target });
    if (wanted === undefined) return between(this.#clock.monotonic(), until) <= TOLERANCE;
    return Math.abs(between(wanted, until)) <= toleranceOf(which);
  }

  /** Whatever is being written is in the kernel when this resolves. */
  async #settled(): Promise<void> {
    await this.#firewall.change({ present: [], absent: [], answered: [] });
  }

  *#guarded(which: ElementKind): Generator<Wanted> {
    for (const element of this.#desired.wanted(which)) if (this.#firewall.scopes.has(element.scope)) yield element;
  }
}

function elementsAt(places: readonly ElementPlace[], kernel: ElementIndex<KernelElement>): KernelElement[] {
  return places.flatMap(({ scope, target }) => kernel.get(scope, target) ?? []);
}

function toleranceOf(which: ElementKind): Duration {
  return which === 'held' ? HELD_TOLERANCE : TOLERANCE;
}

function tell(what: string, items: readonly { readonly target: string }[]): string[] {
  if (items.length === 0) return [];
  const targets = [...new Set(items.map(({ target }) => target))];
  const more = targets.length > NAMED ? ` and ${targets.length - NAMED} more` : '';
  return [`${what}: ${targets.slice(0, NAMED).join(', ')}${more}`];
}
