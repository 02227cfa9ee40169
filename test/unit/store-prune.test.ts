import { expect, it } from 'vitest';
import { at, details, event, grantRecord, journal, loadAll, newState, openStore, put } from '../support/store.ts';

const ended = (n: number, ms: number) => put({ ...grantRecord(n), ended: { at: at(ms), reason: 'expired' } });

it('a prune drops events and ended grants from before a moment, and nothing else', async () => {
  const store = await openStore(newState());
  await store.write([
    journal(event(10, 'old')),
    journal(event(99, 'older than the moment')),
    journal(event(100, 'of the moment')),
    journal(event(20, 'old, though written later')),
    put(grantRecord(1)),
    ended(2, 99),
    ended(3, 100),
  ]);
  expect(await store.prune(at(100))).toBe(3);
  expect(details(await store.readJournal({ limit: 10 }))).toEqual(['of the moment']);
  expect((await loadAll(store, at(0))).grants.map(({ grant }) => grant.id)).toEqual(['00000001', '00000003']);
  expect(await store.prune(at(100))).toBe(0);
});

it('numbers of pruned events are not used again', async () => {
  const store = await openStore(newState());
  await store.write([journal(event(1)), journal(event(2))]);
  await store.prune(at(100));
  await store.write([journal(event(300))]);
  expect(await store.readJournal({ limit: 10 })).toMatchObject([{ seq: 3, at: 300 }]);
});

it('a long prune lets writes through while it runs', async () => {
  const store = await openStore(newState());
  await store.write(Array.from({ length: 5000 }, (_, n) => journal(event(n))));
  await store.write(Array.from({ length: 1000 }, (_, n) => ended(n, 5)));
  const order: string[] = [];
  const pruned = store.prune(at(10_000)).then((count) => {
    order.push('prune');
    return count;
  });
  for (let n = 0; n < 3; n++) {
    await store.write([journal(event(20_000, `${n}`))]);
    order.push('write');
  }
  expect(await pruned).toBe(5000);
  expect(order).toEqual(['write', 'write', 'write', 'prune']);
  expect(details(await store.readJournal({ limit: 10 }))).toEqual(['0', '1', '2']);
  expect((await loadAll(store, at(0))).grants).toEqual([]);
});
