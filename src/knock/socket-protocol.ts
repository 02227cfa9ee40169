import type { Address, Target } from '../core/address.js';
import type { ErrorCode } from '../core/errors.js';
import type { State, StepKey, Steps } from '../core/knock/automaton.js';
import type { IgnoredSource, StrikeLimit } from '../core/knock/strikes.js';
import type { PortSpan, Protocol } from '../core/ports.js';
import type { Duration } from '../core/time.js';

/*
 * What the main thread and the thread of the sockets say to each other. The automaton and the sources are kept in that thread,
 * so that a flood of noise costs the rest of the daemon nothing; only completed knocks and struck sources come out of it.
 */

export interface SocketSetup {
  readonly pool: PortSpan;
  readonly protocols: readonly Protocol[];
  readonly window: Duration;
  readonly strikes: StrikeLimit | null;
}

/** Keys and states by turns: `[key, to, key, to, …]`; for steps that go, the keys alone. */
export type PackedSteps = Float64Array;

export type SocketRequest =
  | { readonly kind: 'replace'; readonly id: number; readonly steps: PackedSteps }
  | { readonly kind: 'change'; readonly id: number; readonly removed: PackedSteps; readonly added: PackedSteps }
  /** So many knocks that were told of have been answered. */
  | { readonly kind: 'answered'; readonly count: number }
  | { readonly kind: 'ignored'; readonly id: number }
  | { readonly kind: 'forgive'; readonly id: number; readonly targets: readonly Target[] };

export interface HeardKnock {
  readonly source: Address;
  readonly sequenceId: number;
  readonly payload: Uint8Array;
}

export type SocketReport =
  | { readonly kind: 'bound' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly details: Readonly<Record<string, string | number>> }
  | {
      readonly kind: 'heard';
      readonly knocks: readonly HeardKnock[];
      readonly struck: readonly Target[];
      /** Completed knocks that could not be told of, since too many wait to be answered. */
      readonly dropped: number;
    }
  | { readonly kind: 'ignored'; readonly id: number; readonly sources: readonly IgnoredSource[] }
  /** What was asked for has been done. */
  | { readonly kind: 'done'; readonly id: number };

export function packSteps(steps: Steps | readonly (readonly [StepKey, State])[]): PackedSteps {
  const packed = new Float64Array(2 * (Array.isArray(steps) ? steps.length : (steps as Steps).size));
  let at = 0;
  for (const [key, to] of steps) {
    packed[at++] = key;
    packed[at++] = to;
  }
  return packed;
}

export function unpackSteps(packed: PackedSteps, into: Map<StepKey, State>): void {
  for (let at = 0; at + 1 < packed.length; at += 2) into.set(packed[at] as StepKey, packed[at + 1] as State);
}
