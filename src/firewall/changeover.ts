import type { Arming, GuardLayout, GuardShape, SetScope } from '../core/firewall.js';
import { ACTIVE_MAP, FALLBACK_MAP, SLOTS, type Slot, TABLE } from './names.js';
import { type Placement, setScopes } from './placement.js';
import { isSameGeneration, renderGuard } from './ruleset.js';

/*
 * A change of the rules leaves the sets alone that both have, with all that fills them: grants, knocks under way, strikes,
 * who was seen. What is new is made ready beside what stands, and one transaction changes the chains.
 */

/** How the kernel gets from one placement to another, in nft's language. */
export interface Changeover {
  /** Makes the sets that are not there yet; nothing asks for them so far. Empty where there are none. */
  readonly prepare: string;
  /** The scopes whose sets of grants are new. */
  readonly newScopes: ReadonlySet<SetScope>;
  /** Replaces all chains at once, and takes away what nothing asks for any more. */
  readonly complete: string;
}

interface GuardObject {
  readonly kind: 'set' | 'map' | 'chain';
  readonly name: string;
  readonly text: string;
}

/** The elements of these are part of the change. */
const ARMING_MAPS: ReadonlySet<string> = new Set([ACTIVE_MAP, FALLBACK_MAP]);

/** Where the generations of a shape stand: those that are there already where they are, others in a slot that is free. */
export function placeBeside({ layout, fallback }: GuardShape, standing: Placement): Placement {
  const taken: Slot[] = [];
  const take = (slot: Slot) => {
    taken.push(slot);
    return slot;
  };
  const { slots } = standing;
  const isPrevious = (one: GuardLayout) =>
    standing.fallback !== null && isSameGeneration(one, standing.fallback) && !taken.includes(slots.fallback);
  const isArmed = (one: GuardLayout) => isSameGeneration(one, standing.layout) && !taken.includes(slots.layout);
  const free = () => {
    const others = [...taken, slots.layout, ...(standing.fallback === null ? [] : [slots.fallback])];
    return SLOTS.find((slot) => !others.includes(slot)) ?? slots.layout;
  };
  const previous =
    fallback === null
      ? slots.fallback
      : take(isPrevious(fallback) ? slots.fallback : isArmed(fallback) ? slots.layout : free());
  const armed = take(isArmed(layout) ? slots.layout : isPrevious(layout) ? slots.fallback : free());
  return { layout, fallback, slots: { layout: armed, fallback: previous } };
}

/** Undefined where a set of both is not of the same make: then the table has to be made anew. */
export function changeOver(from: Placement, to: Placement, arming: Arming): Changeover | undefined {
  const [old, now] = [objectsOf(renderGuard(from)), objectsOf(renderGuard(to, arming))];
  const isArming = ({ name }: GuardObject) => ARMING_MAPS.has(name);
  const [oldSets, sets] = [old, now].map((all) => all.filter((one) => one.kind !== 'chain' && !isArming(one)));
  const known = new Map(oldSets?.map((one) => [one.name, one.text]));
  if (sets?.some(({ name, text }) => (known.get(name) ?? text) !== text)) return undefined;
  const fresh = sets?.filter(({ name }) => !known.has(name)) ?? [];
  const wanted = new Set(now.map(({ name }) => name));
  const gone = [...old.filter(isArming), ...old.filter((one) => !isArming(one) && !wanted.has(one.name))];
  const before = new Set(setScopes(from).all);
  return {
    prepare: fresh.length === 0 ? '' : table(fresh),
    newScopes: new Set(setScopes(to).all.filter((scope) => !before.has(scope))),
    complete: [
      `flush table inet ${TABLE}\n`,
      ...inOrder(gone).map(({ kind, name }) => `delete ${kind} inet ${TABLE} ${name}\n`),
      table(now.filter((one) => one.kind === 'chain' || isArming(one))),
    ].join(''),
  };
}

/** Maps lead to chains: those go first. */
function inOrder(objects: readonly GuardObject[]): GuardObject[] {
  const isChain = ({ kind }: GuardObject) => kind === 'chain';
  return [...objects.filter((one) => !isChain(one)), ...objects.filter(isChain)];
}

function table(objects: readonly GuardObject[]): string {
  return `table inet ${TABLE} {\n${objects.map(({ text }) => text).join('\n')}\n}\n`;
}

/** The objects of a rendered guard: each begins on a line of its own, with two spaces before it. */
function objectsOf(guard: string): GuardObject[] {
  return guard.split(/\n(?= {2}(?:set|map|chain) )/).map((text) => {
    const [kind, name] = text.trimStart().split(' ', 2) as [GuardObject['kind'], string];
    return { kind, name, text };
  });
}
