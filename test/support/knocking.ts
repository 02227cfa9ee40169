import { type Address, parseAddress } from '../../src/core/address.ts';
import { compileSteps, type NumberedSequence } from '../../src/core/knock/automaton.ts';
import { KnockExecutor } from '../../src/core/knock/executor.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { seconds } from '../../src/core/time.ts';
import { FakeClock } from './fake-clock.ts';

/** The longest time between two knocks. */
export const WINDOW = seconds(10);

export const LAPTOP = parseAddress('203.0.113.7');
/** Several sources, of both families. */
export const SOURCES: readonly [Address, Address, Address] = [
  LAPTOP,
  parseAddress('2001:db8::7'),
  parseAddress('203.0.113.8'),
];

/** The sequences with ids from `first` on. */
export const numbered = (sequences: readonly Sequence[], first = 1): NumberedSequence[] =>
  sequences.map((sequence, i) => ({ sequenceId: first + i, sequence }));

/** The automaton of these sequences, run over a clock that stands still. */
export function executorOf(sequences: readonly NumberedSequence[], capacity?: number) {
  const clock = new FakeClock();
  const steps = compileSteps(sequences);
  const executor = new KnockExecutor({ clock, window: WINDOW, steps, ...(capacity === undefined ? {} : { capacity }) });
  return { clock, executor };
}
