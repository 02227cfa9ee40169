import { type State, type StepKey, splitStepKey } from '../core/knock/automaton.js';

/*
 * A repeat of a knock already accepted leads to the state it comes from. The kernel's map says REPEAT there instead, so
 * that the rules can tell it apart: such a packet has nothing to write but the time. Deleting and adding the state again
 * would leave a dead element behind in the same place of the hash table until the kernel collects them, once a second,
 * and every look-up has to pass them: a single source that repeats its first knock would hold a processor.
 */

/** Depth 7 of sequence 0, which is never given (see automaton.ts): no state, and nothing leads on from it. */
export const REPEAT = 7 as State;

/** What the kernel's map holds for a step. */
export function toKernelStep(key: StepKey, to: State): State {
  return splitStepKey(key).from === to ? REPEAT : to;
}

/** The state that a step leads to, by what the kernel's map holds. */
export function fromKernelStep(key: StepKey, data: State): State {
  return data === REPEAT ? splitStepKey(key).from : data;
}
