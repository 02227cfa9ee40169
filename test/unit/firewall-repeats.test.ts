import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSteps, type State, splitStepKey } from '#dist/core/knock/automaton.js';
import { parseSequence } from '#dist/core/sequence.js';
import { LARGEST_SEQUENCE_ID } from '#dist/core/user.js';
import { fromKernelStep, REPEAT, toKernelStep } from '#dist/firewall/repeats.js';

const sequence = parseSequence('tcp/21001,udp/24001,udp/22001,tcp/26001,udp/23001,tcp/27001,udp/25001,tcp/28001');

describe('repeats in the kernel', () => {
  it('a step to the same state is told apart, and every step is read back as it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LARGEST_SEQUENCE_ID }), (sequenceId) => {
        for (const [key, to] of compileSteps([{ sequenceId, sequence }])) {
          const data = toKernelStep(key, to);
          expect(data === REPEAT).toBe(splitStepKey(key).from === to);
          expect(fromKernelStep(key, data)).toBe(to);
        }
      }),
    );
  });

  it('no state of any sequence is taken for one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LARGEST_SEQUENCE_ID }), (sequenceId) => {
        const states = new Set<State>(compileSteps([{ sequenceId, sequence }]).values());
        expect(states.has(REPEAT)).toBe(false);
      }),
    );
  });
});
