import { describe, expect, it } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';
import type { ElementChange } from '../../src/core/firewall.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import { Gatherer } from '../../src/firewall/gather.ts';

const answering = (source: Address, sequenceId: number): ElementChange => ({
  present: [],
  absent: [],
  answered: [{ source, state: finalState(sequenceId) }],
});

describe('changes that are gathered', () => {
  it('take each completed knock out of the mailbox once, however often it was heard', async () => {
    const written: ElementChange[] = [];
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const gatherer = new Gatherer(
      (task) => held.then(task),
      async (change) => void written.push(change),
    );
    const [first, second] = ['203.0.113.7', '203.0.113.8'].map((text) => parseAddress(text)) as [Address, Address];
    const all = [answering(first, 1), answering(second, 1), answering(first, 1), answering(first, 2)];
    const done = all.map((change) => gatherer.add(change));
    letGo();
    await Promise.all(done);
    expect(written).toEqual([
      {
        present: [],
        absent: [],
        answered: [
          { source: first, state: finalState(1) },
          { source: second, state: finalState(1) },
          { source: first, state: finalState(2) },
        ],
      },
    ]);
  });
});
