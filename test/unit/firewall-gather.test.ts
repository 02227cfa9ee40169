import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { ElementChange } from '../../src/core/firewall.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import type { Monotonic } from '../../src/core/time.ts';
import { Gatherer } from '../../src/firewall/gather.ts';
import { service } from '../support/core-arbitraries.ts';

const ANA = { source: parseAddress('203.0.113.1'), state: finalState(7) };
const BEN = { source: parseAddress('203.0.113.2'), state: finalState(7) };
const element = (n: number, until = 5) => ({
  scope: service('ssh'),
  target: parseAddress(`10.0.${n >> 8}.${n & 255}`),
  until: until as Monotonic,
  comment: null,
});
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

  it('are the latest word on each element, in pieces and in order where they are many', async () => {
    const written: ElementChange[] = [];
    const gatherer = new Gatherer(
      (task) => Promise.resolve().then(task),
      async (change) => void written.push(change),
    );
    const many = Array.from({ length: 2500 }, (_, n) => element(n));
    await Promise.all([
      gatherer.add({ present: many, absent: [], answered: [] }),
      gatherer.add({ present: [element(0, 9)], absent: [element(1)], answered: [] }),
    ]);
    expect(written.map(({ present, absent }) => present.length + absent.length)).toEqual([1000, 1000, 500]);
    expect(written.flatMap(({ present }) => present)).toEqual([element(0, 9), ...many.slice(2)]);
    expect(written.flatMap(({ absent }) => absent).map(({ target }) => target)).toEqual([element(1).target]);
  });
});
