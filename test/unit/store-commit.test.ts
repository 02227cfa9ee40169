import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import type { Change } from '#dist/core/store.js';
import { type Instant, millis } from '#dist/core/time.js';
import { parseUserName } from '#dist/core/user.js';
import {
  at,
  details,
  entry,
  event,
  grantId,
  grantRecord,
  inOtherProcess,
  journal,
  loadAll,
  name,
  newState,
  nextWorker,
  openStore,
  put,
  resolved,
  storeOn,
  user,
} from '../support/store.ts';

const note = (detail: string): Change => journal(event(1, detail));
const newUser = (id: number, change: Parameters<typeof user>[1] = {}): Change => ({
  kind: 'user.put',
  user: user(id, change),
});

it('calls are kept in the order in which they were made', async () => {
  const store = await openStore(newState());
  const wanted = Array.from({ length: 500 }, (_, n) => `${n}`);
  const answered: string[] = [];
  await Promise.all(wanted.map((text) => store.write([note(text)]).then(() => answered.push(text))));
  expect(details(await store.readJournal({ limit: 1000 }))).toEqual(wanted);
  expect(answered).toEqual(wanted);
});

it('many waiting calls share a commit', async () => {
  const directory = newState();
  const store = await openStore(directory);
  const wal = () => statSync(`${directory}/sallyport.db-wal`).size;
  await store.write([note('first')]);
  const before = wal();
  await Promise.all(Array.from({ length: 300 }, (_, n) => store.write([note(`${n}`)])));
  const together = wal() - before;
  for (let n = 0; n < 10; n++) await store.write([note(`alone ${n}`)]);
  const alone = wal() - before - together;
  // A commit writes whole pages: 300 on their own would have written thirty times what ten did.
  expect(together).toBeLessThan(alone * 3);
});

it('the changes of one call are kept together or not at all', async () => {
  const store = await openStore(newState());
  await store.write([newUser(1)]);
  const twin = newUser(2, { name: parseUserName('user1') });
  await expect(store.write([note('lost'), put(grantRecord(1)), twin])).rejects.toMatchObject({
    code: 'SP_STORE_REFUSED',
  });
  expect(await store.readJournal({ limit: 10 })).toEqual([]);
  expect(await loadAll(store, at(0))).toMatchObject({ users: [user(1)], grants: [] });
});

it("a call that is refused takes none of its commit's other calls with it", async () => {
  const store = await openStore(newState());
  await store.write([newUser(1, { account: '1001' })]);
  const outcomes = await Promise.allSettled([
    store.write([note('a')]),
    store.write([note('lost'), newUser(2, { account: '1001' })]),
    store.write([note('b')]),
    store.write([note('lost'), newUser(3, { sequenceId: 1 })]),
    store.write([note('c')]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({
    reason: { code: 'SP_STORE_REFUSED', message: expect.stringMatching(/same account/) },
  });
  expect(details(await store.readJournal({ limit: 10 }))).toEqual(['a', 'b', 'c']);
});

it('what could not be read back is refused, and never becomes damage', async () => {
  const store = await openStore(newState());
  const notANumber = Number.NaN as Instant;
  const bad: unknown[] = [
    put({ ...grantRecord(1), expiresAt: notANumber }),
    put(grantRecord(1, { target: 'nonsense' as never })),
    put(grantRecord(1, { services: [] })),
    put(grantRecord(1, { id: 'short' as never })),
    put(grantRecord(1, { ttl: undefined as never })),
    newUser(1, { sequence: [] }),
    newUser(1, { name: 'a b' as never }),
    newUser(1, { sequenceId: 2 ** 28 }),
    { kind: 'entry.put', entry: entry('a', { source: 'magic' as never }) },
    { kind: 'name.put', entry: { ...name('a'), name: 'a b' } },
    { kind: 'resolved.put', resolved: { ...resolved(), addresses: ['203.0.113.0/24'] } },
    { kind: 'grant.end', id: grantId(1), at: notANumber, reason: 'expired' },
    { kind: 'meta', key: 'last_id', value: 7 },
    journal({ at: notANumber, event: 'grant.opened' }),
    journal({ at: at(1), event: 'grant.opened', detail: 7n as never }),
    { kind: 'nonsense' },
    null,
  ];
  for (const change of bad) {
    await expect(store.write([note('lost'), change as Change]), JSON.stringify(String(change))).rejects.toMatchObject({
      code: 'SP_STORE_REFUSED',
    });
  }
  expect(await store.readJournal({ limit: 10 })).toEqual([]);
  expect(await loadAll(store, at(0))).toEqual({
    users: [],
    entries: [],
    names: [],
    resolved: [],
    grants: [],
    meta: {},
  });
});

it('a refusal never repeats a sequence', async () => {
  const store = await openStore(newState());
  await store.write([newUser(1)]);
  const ports = user(2).sequence.map(({ port }) => `${port}`);
  for (const change of [newUser(2, { sequenceId: 1 }), newUser(2, { sequence: user(2).sequence.slice(0, 1) })]) {
    const error: Error = await store.write([change]).then(
      () => new Error('accepted'),
      (reason) => reason,
    );
    const told = `${error.message} ${error.cause}`;
    expect(error).toMatchObject({ code: 'SP_STORE_REFUSED' });
    for (const port of ports) expect(told).not.toContain(port);
  }
});

it('a write holds the changes as they were when it was called', async () => {
  const store = await openStore(newState());
  const changes = [note('before')];
  const written = store.write(changes);
  changes[0] = note('after');
  await written;
  expect(details(await store.readJournal({ limit: 10 }))).toEqual(['before']);
});

it('closing writes what was handed in, leaves one file of data, and refuses what comes later', async () => {
  const directory = newState();
  const store = await openStore(directory);
  const writes = Array.from({ length: 50 }, (_, n) => store.write([note(`${n}`)]));
  await store.close();
  await Promise.all(writes);
  expect(readdirSync(directory).sort()).toEqual(['daemon.lock', 'sallyport.db']);
  await expect(store.write([note('late')])).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await expect(loadAll(store, at(0))).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await expect(store.readJournal({ limit: 1 })).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await expect(store.prune(at(0))).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await expect(store.open()).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await store.close();
  const again = await openStore(directory);
  expect(await again.readJournal({ limit: 100 })).toHaveLength(50);
});

it('a store that was never opened answers nothing and closes', async () => {
  const directory = newState();
  const store = storeOn(directory);
  await expect(store.write([note('x')])).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await store.close();
  expect(existsSync(directory)).toBe(false);
});

it('closing while it opens leaves nothing open, and it opens only once', async () => {
  const directory = newState();
  const store = storeOn(directory);
  const opening = store.open();
  await expect(store.open()).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await Promise.all([opening, store.close()]);
  await expect(loadAll(store, at(0))).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await openStore(directory);
});

it('an opening that takes too long is given up, and leaves nothing held', async () => {
  const directory = newState();
  const worker = nextWorker();
  const opening = storeOn(directory, { deadline: millis(1) }).open();
  const gone = once(await worker, 'exit');
  await expect(opening).rejects.toMatchObject({
    code: 'SP_STORE_FAILED',
    message: expect.stringContaining('did not open'),
  });
  await gone;
  await openStore(directory);
});

it('when its thread dies, every waiting call is rejected, the owner is told once, and nothing acknowledged is lost', async () => {
  const directory = newState();
  const onFailed = vi.fn();
  const worker = nextWorker();
  const store = await openStore(directory, { onFailed });
  await store.write([note('kept')]);
  const waiting = [
    store.write([note('?')]),
    loadAll(store, at(0)),
    store.readJournal({ limit: 1 }),
    store.prune(at(0)),
  ];
  const outcomes = Promise.allSettled(waiting);
  await (await worker).terminate();
  for (const outcome of await outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SP_STORE_FAILED' });
  }
  expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true);
  expect(onFailed.mock.calls).toMatchObject([[{ code: 'SP_STORE_FAILED' }]]);
  await expect(store.write([note('late')])).rejects.toMatchObject({ code: 'SP_STORE_FAILED' });
  await store.close();
  const again = await openStore(directory);
  expect(details(await again.readJournal({ limit: 10 }))[0]).toBe('kept');
});

it('an opening that is refused and a close are no failures', async () => {
  const directory = newState();
  const onFailed = vi.fn();
  for (const outcome of ['opened', 'refused']) {
    const worker = nextWorker();
    const store = storeOn(directory, { onFailed });
    const opening = store.open();
    const gone = once(await worker, 'exit');
    if (outcome === 'opened') await opening;
    else await expect(opening).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
    await store.close();
    await gone;
    writeFileSync(`${directory}/sallyport.db`, '');
  }
  expect(onFailed).not.toHaveBeenCalled();
});

it('the state is readable by its owner alone, whatever the umask', () => {
  const directory = newState();
  const modes = inOtherProcess(
    `process.umask(0);
    const { readdirSync, statSync } = await import('node:fs');
    await store.open();
    await store.write([{ kind: 'meta', key: 'confirmed', value: 'yes' }]);
    for (const file of ['.', ...readdirSync(directory)]) say(file + ' ' + (statSync(directory + '/' + file).mode & 0o777).toString(8));
    await store.close();`,
    directory,
  );
  expect(modes.trim().split('\n').sort()).toEqual([
    '. 700',
    'daemon.lock 600',
    'daemon.pid 600',
    'sallyport.db 600',
    'sallyport.db-shm 600',
    'sallyport.db-wal 600',
  ]);
});
