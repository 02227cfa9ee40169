import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileSteps,
  completedSequence,
  diffSteps,
  FINAL_BIT,
  finalState,
  knockProtocol,
  type NumberedSequence,
  PAIRED_BIT,
  readMark,
  START,
  type State,
  type Steps,
  splitStepKey,
  stepKey,
} from '../../src/core/knock/automaton.ts';
import { toPort } from '../../src/core/ports.ts';
import { formatSequence, parseSequence, type Sequence } from '../../src/core/sequence.ts';
import { LARGEST_SEQUENCE_ID } from '../../src/core/user.ts';
import { knock, seededRandom, tinyKnock, tinySequences } from '../support/core-arbitraries.ts';

const numbered = (sequences: readonly Sequence[], first = 1): NumberedSequence[] =>
  sequences.map((sequence, i) => ({ sequenceId: first + i, sequence }));

const sorted = (steps: Steps) => [...steps].sort(([a], [b]) => a - b);

/** How many elements a set of sequences needs: a step into each beginning, and the repeats at each but the whole. */
function expectedSize(sequences: readonly Sequence[]): number {
  const beginnings = new Map<string, number>();
  for (const sequence of sequences) {
    for (let length = 1; length <= sequence.length; length++) {
      const repeats = length < sequence.length ? length : 0;
      beginnings.set(formatSequence(sequence.slice(0, length)), 1 + repeats);
    }
  }
  return [...beginnings.values()].reduce((sum, one) => sum + one, 0);
}

describe('a step', () => {
  it('has a key that is a whole number below 2^48 and splits into what it was made of', () => {
    const state = fc.oneof(fc.constant(0), fc.constant(2 ** 31 - 1), fc.nat(2 ** 31 - 1)) as fc.Arbitrary<State>;
    const port = fc.oneof(fc.constantFrom(1, 65535), fc.integer({ min: 1, max: 65535 })).map(toPort);
    fc.assert(
      fc.property(state, fc.constantFrom('tcp' as const, 'udp' as const), port, (from, protocol, to) => {
        const key = stepKey(from, { protocol, port: to });
        expect(Number.isInteger(key) && key > 0 && key < 2 ** 48).toBe(true);
        expect(splitStepKey(key)).toEqual({ from, protocol, port: to });
      }),
    );
  });

  it('of an IP header has the protocol of its number, or none', () => {
    expect([knockProtocol(6), knockProtocol(17), knockProtocol(1), knockProtocol(0), knockProtocol(255)]).toEqual([
      'tcp',
      'udp',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the automaton', () => {
  it('of one sequence goes from knock to knock, stays on repeats, and ends in the final state', () => {
    const [a, b, c] = [knock('tcp', 21234), knock('udp', 28111), knock('tcp', 24711)];
    const [one, two] = [5 * 8 + 1, 5 * 8 + 2] as State[];
    expect(sorted(compileSteps([{ sequenceId: 5, sequence: [a, b, c] }]))).toEqual(
      sorted(
        new Map([
          [stepKey(START, a), one],
          [stepKey(one as State, a), one],
          [stepKey(one as State, b), two],
          [stepKey(two as State, a), two],
          [stepKey(two as State, b), two],
          [stepKey(two as State, c), finalState(5)],
        ] as [ReturnType<typeof stepKey>, State][]),
      ),
    );
  });

  it('of nobody is empty', () => {
    expect(compileSteps([]).size).toBe(0);
  });

  it('fits a packet mark at its largest', () => {
    const sequence = parseSequence(Array.from({ length: 8 }, (_, i) => `udp/${65521 + 2 * i}`).join(','));
    const steps = compileSteps([{ sequenceId: LARGEST_SEQUENCE_ID, sequence }]);
    const states = [...steps.values()];
    expect(Math.max(...states)).toBe(2 ** 31 + 2 ** 28 - 1);
    expect(states.filter((state) => state < FINAL_BIT).sort((x, y) => y - x)[0]).toBe(2 ** 31 - 1);
    expect(Math.max(...steps.keys())).toBeLessThan(2 ** 48);
    expect(completedSequence(finalState(LARGEST_SEQUENCE_ID))).toBe(LARGEST_SEQUENCE_ID);
  });

  it('has final states that tell their sequence, and others that tell none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LARGEST_SEQUENCE_ID }), fc.integer({ min: 1, max: 7 }), (id, depth) => {
        expect(completedSequence(finalState(id))).toBe(id);
        expect(completedSequence(id * 8 + depth)).toBeUndefined();
      }),
    );
    expect(completedSequence(START)).toBeUndefined();
  });

  it('has a mark for a knock with a pairing code that is no final state of anybody, and fits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LARGEST_SEQUENCE_ID }), (id) => {
        const mark = finalState(id) + PAIRED_BIT;
        expect(mark).toBeLessThan(2 ** 32);
        expect(completedSequence(mark)).toBeGreaterThan(LARGEST_SEQUENCE_ID);
        expect(readMark(mark)).toEqual({ state: finalState(id), isPaired: true });
        expect(readMark(finalState(id))).toEqual({ state: finalState(id), isPaired: false });
      }),
    );
    expect(readMark(START)).toEqual({ state: START, isPaired: false });
  });

  it('depends on the set of sequences alone, not on its order', () => {
    const shuffled = tinySequences.chain((sequences) => {
      const all = numbered(sequences);
      return fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }));
    });
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(sorted(compileSteps(other))).toEqual(sorted(compileSteps(all)));
      }),
    );
  });

  it('has a state for each beginning and a repeat for each knock of it, shared by all that begin so', () => {
    fc.assert(
      fc.property(tinySequences, (sequences) => {
        expect(compileSteps(numbered(sequences)).size).toBe(expectedSize(sequences));
      }),
    );
  });

  it('leads nowhere but where a sequence goes: every step is taken by one', () => {
    fc.assert(
      fc.property(tinySequences, tinyKnock, (sequences, stray) => {
        const steps = compileSteps(numbered(sequences));
        const begins = sequences.some(([first]) => first?.port === stray.port && first.protocol === stray.protocol);
        expect(steps.has(stepKey(START, stray))).toBe(begins);
        const reached = new Set<State>([START, ...steps.values()]);
        for (const key of steps.keys()) expect(reached.has(splitStepKey(key).from)).toBe(true);
        const finals = [...steps.values()].filter((state) => state >= FINAL_BIT).sort((a, b) => a - b);
        expect(finals).toEqual(sequences.map((_, i) => finalState(i + 1)));
      }),
    );
  });

  it('of 10,000 users has the elements that are needed and no more', () => {
    const random = seededRandom(10_000);
    const unique = new Map<string, Sequence>();
    while (unique.size < 10_000) {
      const ports = Array.from({ length: 3 }, () => knock(random(2) === 0 ? 'tcp' : 'udp', 21000 + random(9000)));
      unique.set(formatSequence(ports), ports);
    }
    const sequences = [...unique.values()].filter(
      (sequence) => new Set(sequence.map(({ port }) => port)).size === sequence.length,
    );
    const steps = compileSteps(numbered(sequences));
    expect(steps.size).toBe(expectedSize(sequences));
    expect(steps.size).toBeGreaterThan(50_000);
    expect(steps.size).toBeLessThan(60_000);
  });

  it('becomes another by the difference of the two, of which nothing is superfluous', () => {
    const changed = fc
      .tuple(tinySequences, fc.array(fc.nat(11), { maxLength: 4 }), fc.array(fc.nat(11), { maxLength: 4 }))
      .map(([sequences, left, renewed]) => {
        const all = numbered(sequences);
        const after = all
          .filter((_, i) => !left.includes(i))
          .map((one, i) => (renewed.includes(i) ? { ...one, sequenceId: one.sequenceId + 100 } : one));
        return { before: compileSteps(all), after: compileSteps(after) };
      });
    fc.assert(
      fc.property(changed, ({ before, after }) => {
        const { removed, added } = diffSteps(before, after);
        const kernel = new Map(before);
        for (const key of removed) expect(kernel.delete(key)).toBe(true);
        for (const [key, to] of added) {
          expect(kernel.has(key)).toBe(false);
          kernel.set(key, to);
        }
        expect(sorted(kernel)).toEqual(sorted(after));
        for (const key of removed) expect(after.get(key)).not.toBe(before.get(key));
        expect(diffSteps(after, after)).toEqual({ removed: [], added: [] });
      }),
    );
  });
});
