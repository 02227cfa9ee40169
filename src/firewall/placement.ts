import type { GuardLayout, GuardShape, SetScope } from '../core/firewall.js';
import { ALL, type ServiceName } from '../core/service.js';
import type { Slot } from './names.js';

/** Where the generations of a shape stand in the table. */
export interface Placement extends GuardShape {
  readonly slots: Slots;
}

export interface Slots {
  readonly layout: Slot;
  /** Of no meaning where there is no fallback. */
  readonly fallback: Slot;
}

/** In a table that is made anew. */
export const FIRST_SLOTS: Slots = { layout: '', fallback: 'b_' };

/** One generation of rules: the armed one, or the previous. */
export interface Generation extends GuardLayout {
  readonly slot: Slot;
}

/** A shape in a table that is made anew. */
export function place(shape: GuardShape): Placement {
  return { ...shape, slots: FIRST_SLOTS };
}

/** The scopes that have sets: `all`, each service that is guarded by one of the generations, and the held addresses. */
export function setScopes({ layout, fallback }: GuardShape): { services: ServiceName[]; all: SetScope[] } {
  const services = [...new Set([ALL, ...layout.guarded.keys(), ...(fallback?.guarded.keys() ?? [])])];
  return { services, all: [...services, 'held'] };
}

/** The generations of a shape, each with the scopes that it has entries for; the armed one first. */
export function generationsOf({
  layout,
  fallback,
  slots,
}: Placement): (Generation & { scopes: ServiceName[]; isArmed: boolean })[] {
  const generation = (one: GuardLayout, slot: Slot, isArmed: boolean) => ({
    ...one,
    slot,
    scopes: [ALL, ...one.guarded.keys()],
    isArmed,
  });
  return [
    generation(layout, slots.layout, true),
    ...(fallback === null ? [] : [generation(fallback, slots.fallback, false)]),
  ];
}

/** Whether one of the generations closes everything. */
export function hasLockdown({ layout, fallback }: GuardShape): boolean {
  return layout.policy === 'lockdown' || fallback?.policy === 'lockdown';
}
