import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { ElementChange } from '../../src/core/firewall.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import { Gatherer } from '../../src/firewall/gather.ts';

const ANA = { source: parseAddress('203.0.113.1'), state: finalState(7) };
const BEN = { source: parseAddress('203.0.113.2'), state: finalState(7) };
const NEITHER = { present: [], absent: [] };

describe('gathered changes', () => {
  it('take a knock that rang more than once out of the mailbox once: the second time would fail for all', async () => {
    const written: ElementChange[] = [];
    const gatherer = new Gatherer(
      (task) => Promise.resolve().then(task),
      async (change) => void written.push(change),
    );
    await Promise.all([
      gatherer.add({ ...NEITHER, answered: [ANA, BEN, { ...ANA }] }),
      gatherer.add({ ...NEITHER, answered: [{ ...BEN }] }),
    ]);
    expect(written).toEqual([{ ...NEITHER, answered: [ANA, BEN] }]);
    await gatherer.add({ ...NEITHER, answered: [ANA] });
    expect(written).toHaveLength(2);
  });
});
