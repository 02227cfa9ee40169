import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Automaton,
  compileSteps,
  type NumberedSequence,
  type State,
  type StepKey,
  type Steps,
  type StepsChange,
} from '../../src/core/knock/automaton.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { tinySequences } from '../support/core-arbitraries.ts';

const sorted = (steps: Steps) => [...steps].sort(([a], [b]) => a - b);

/** Carries a change out as the kernel does, which refuses to delete what is not there and to add over something else. */
function carryOut(kernel: Map<StepKey, State>, { removed, added }: StepsChange): void {
  for (const key of removed) expect(kernel.delete(key)).toBe(true);
  for (const [key, to] of added) {
    expect(kernel.has(key)).toBe(false);
    kernel.set(key, to);
  }
}

interface Turn {
  readonly removed: readonly number[];
  readonly put: readonly number[];
}

/** Few ids, so that the same are put in and taken out again and again, also with another sequence. */
const id = fc.integer({ min: 1, max: 12 });
const turn: fc.Arbitrary<Turn> = fc.record({
  removed: fc.array(id, { maxLength: 2 }),
  put: fc.array(id, { maxLength: 2 }),
});

/** Sequences that may stand beside each other, and for each turn those that are put in under the ids of the turn. */
const life = fc.record({
  sequences: tinySequences,
  turns: fc.array(fc.record({ turn, choice: fc.nat() }), { minLength: 1, maxLength: 20 }),
});

describe('an automaton that changes', () => {
  it('is what compiling all its sequences gives, and its changes in their order give the same', () => {
    fc.assert(
      fc.property(life, ({ sequences, turns }) => {
        const automaton = new Automaton();
        const live = automaton.steps;
        const model = new Map<number, Sequence>();
        const kernel = new Map<StepKey, State>();
        for (const { turn: now, choice } of turns) {
          const put: NumberedSequence[] = [...new Set(now.put)].map((sequenceId, i) => ({
            sequenceId,
            sequence: sequences[(choice + i) % sequences.length] ?? [],
          }));
          const others = [...model].filter(([one]) => !put.some(({ sequenceId }) => sequenceId === one));
          const isFree = ({ sequence }: NumberedSequence) => !others.some(([, other]) => other === sequence);
          const free = put.filter(isFree);
          carryOut(kernel, automaton.change(now.removed, free));
          for (const one of now.removed) model.delete(one);
          for (const { sequenceId, sequence } of free) model.set(sequenceId, sequence);
          const whole = compileSteps([...model].map(([sequenceId, sequence]) => ({ sequenceId, sequence })));
          expect(sorted(automaton.steps)).toEqual(sorted(whole));
          expect(sorted(kernel)).toEqual(sorted(whole));
          expect(automaton.steps).toBe(live);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('begins as what compiling its sequences gives, and empties as they are taken out', () => {
    fc.assert(
      fc.property(tinySequences, (sequences) => {
        const all = sequences.map((sequence, i) => ({ sequenceId: i + 1, sequence }));
        const automaton = new Automaton(all);
        expect(sorted(automaton.steps)).toEqual(sorted(compileSteps(all)));
        const kernel = new Map(automaton.steps);
        for (const { sequenceId } of all) carryOut(kernel, automaton.remove(sequenceId));
        expect([automaton.steps.size, kernel.size]).toEqual([0, 0]);
      }),
    );
  });

  it('does not change where nothing is put in that it has not, and nothing taken out that it has', () => {
    fc.assert(
      fc.property(tinySequences, (sequences) => {
        const all = sequences.map((sequence, i) => ({ sequenceId: i + 1, sequence }));
        const automaton = new Automaton(all);
        for (const one of all) expect(automaton.put(one)).toEqual({ removed: [], added: [] });
        expect(automaton.remove(all.length + 1)).toEqual({ removed: [], added: [] });
      }),
    );
  });
});
