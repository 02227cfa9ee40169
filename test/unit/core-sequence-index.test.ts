import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatSequence, type Sequence } from '../../src/core/sequence.ts';
import { SequenceIndex } from '../../src/core/sequence-index.ts';
import { tinyKnock } from '../support/core-arbitraries.ts';

const anySequence: fc.Arbitrary<Sequence> = fc.array(tinyKnock, { minLength: 1, maxLength: 3 });

/** As a person would see it: one text begins with the other. */
function clash(a: Sequence, b: Sequence): boolean {
  const [one, other] = [`${formatSequence(a)},`, `${formatSequence(b)},`];
  return one.startsWith(other) || other.startsWith(one);
}

it('an index of sequences knows those, and only those, that begin alike, as they come and go', () => {
  const lives = fc.array(fc.record({ sequence: anySequence, stays: fc.boolean() }), { maxLength: 15 });
  fc.assert(
    fc.property(lives, anySequence, (all, asked) => {
      const index = new SequenceIndex();
      for (const { sequence } of all) index.add(sequence);
      for (const { sequence, stays } of all) if (!stays) index.remove(sequence);
      const left = all.filter(({ stays }) => stays);
      expect(index.clashes(asked)).toBe(left.some(({ sequence }) => clash(sequence, asked)));
    }),
    { numRuns: 500 },
  );
});
