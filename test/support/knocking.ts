import { type Address, parseAddress } from '../../src/core/address.ts';
import { compileSteps, type NumberedSequence } from '../../src/core/knock/automaton.ts';
import { KnockExecutor, type KnockVerdict } from '../../src/core/knock/executor.ts';
import type { Knock, Sequence } from '../../src/core/sequence.ts';
import { seconds } from '../../src/core/time.ts';
import { FakeClock } from './fake-clock.ts';
import type { SlowVerdict } from './slow-reference.ts';

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

/** Gives the executor a packet; the id of the sequence that it completes. */
export function completedBy(executor: KnockExecutor, source: Address, one: Knock): number | undefined {
  const verdict = executor.packet(source, one);
  return verdict?.kind === 'completed' ? verdict.sequenceId : undefined;
}

/** A verdict in the words of the slow reference. */
export function slowly(verdict: KnockVerdict | undefined): SlowVerdict {
  if (verdict === undefined) return 'nothing';
  return verdict.kind === 'struck' ? 'struck' : `completed ${verdict.sequenceId}`;
}
