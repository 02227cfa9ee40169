import { expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { ElementChange } from '../../src/core/firewall.ts';
import { finalState } from '../../src/core/knock/automaton.ts';
import type { Monotonic } from '../../src/core/time.ts';
import { Gatherer } from '../../src/firewall/gather.ts';
import { service } from '../support/core-arbitraries.ts';

const SSH = service('ssh');
const completion = (n: number) => ({ source: parseAddress(`192.0.2.${n}`), state: finalState(7) });
const element = (n: number, until = 5) => ({
  scope: SSH,
  target: parseAddress(`10.0.${n >> 8}.${n & 255}`),
  until: until as Monotonic,
  comment: null,
});
const nothing: ElementChange = { present: [], absent: [], answered: [] };

/** A gatherer, and what it wrote. */
function gathering() {
  const written: ElementChange[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const gatherer = new Gatherer(
    (task) => {
      const turn = last.then(task);
      last = turn.catch(() => undefined);
      return turn;
    },
    async (change) => void written.push(change),
  );
  return { gatherer, written };
}

it('a knock that is answered twice in one transaction is taken out of the mailbox once', async () => {
  const { gatherer, written } = gathering();
  await Promise.all([
    gatherer.add({ ...nothing, answered: [completion(1), completion(2)] }),
    gatherer.add({ ...nothing, answered: [completion(1)] }),
  ]);
  expect(written).toEqual([{ ...nothing, answered: [completion(1), completion(2)] }]);
});

it('of an element the latest word counts, and what is much comes in pieces and in order', async () => {
  const { gatherer, written } = gathering();
  const many = Array.from({ length: 2500 }, (_, n) => element(n));
  await Promise.all([
    gatherer.add({ ...nothing, present: many, absent: [] }),
    gatherer.add({ ...nothing, present: [element(0, 9)], absent: [element(1)] }),
  ]);
  expect(written.map(({ present, absent }) => present.length + absent.length)).toEqual([1000, 1000, 500]);
  const present = written.flatMap((change) => change.present);
  expect(present).toEqual([element(0, 9), ...many.slice(2)]);
  expect(written.flatMap(({ absent }) => absent).map(({ target }) => target)).toEqual([element(1).target]);
});
