import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { NumberedEvent } from '#dist/core/store.js';
import {
  at,
  details,
  event,
  grantRecord,
  inOtherProcess,
  journal,
  loadAll,
  newState,
  openStore,
  put,
  startOtherProcess,
  storeOn,
} from '../support/store.ts';

const HOLD = `await store.open(); await store.write([{ kind: 'meta', key: 'confirmed', value: 'yes' }]); say('open'); setInterval(() => {}, 1000);`;

it('a second daemon on the same state is refused with the number of the first, which goes on', async () => {
  const directory = newState();
  const first = await openStore(directory);
  const refusal = inOtherProcess(`await store.open().catch((error) => say(error.toLine()));`, directory);
  expect(refusal).toContain(`SP_STATE_LOCKED: the state directory ${directory} is in use by process ${process.pid}.`);
  await first.write([journal(event(1, 'still here'))]);
  expect(inOtherProcess(`await store.open().catch((error) => say(error.code));`, directory)).toBe('SP_STATE_LOCKED\n');
});

it('a second store of the same process is refused too', async () => {
  const directory = newState();
  await openStore(directory);
  const second = storeOn(directory);
  await expect(second.open()).rejects.toMatchObject({ code: 'SP_STATE_LOCKED' });
  const third = storeOn(directory);
  await expect(third.open()).rejects.toMatchObject({ code: 'SP_STATE_LOCKED' });
  // The kernel drops a lock of this kind when any handle of its process on the file is closed.
  expect(inOtherProcess(`await store.open().catch((error) => say(error.code));`, directory)).toBe('SP_STATE_LOCKED\n');
});

it('the lock falls with its process, however that ended', async () => {
  const directory = newState();
  const holder = startOtherProcess(HOLD, directory);
  await holder.saidLines(1);
  await expect(storeOn(directory).open()).rejects.toMatchObject({
    code: 'SP_STATE_LOCKED',
    message: expect.stringContaining(`process ${holder.pid}`),
  });
  await holder.kill();
  const next = await openStore(directory);
  expect((await loadAll(next, at(0))).meta).toEqual({ confirmed: 'yes' });
});

it('the lock is free again after a close and after a refused opening', async () => {
  const directory = newState();
  const first = await openStore(directory);
  await first.close();
  inOtherProcess(
    `await store.open(); await store.close();
    const db = new Sqlite(directory + '/sallyport.db'); db.pragma('user_version = 99'); db.close();`,
    directory,
  );
  await expect(storeOn(directory).open()).rejects.toMatchObject({ code: 'SP_STORE_NEWER' });
  await expect(storeOn(directory).open()).rejects.toMatchObject({ code: 'SP_STORE_NEWER' });
});

it('another process reads the state while a daemon writes it, and cannot write', async () => {
  const directory = newState();
  const daemon = await openStore(directory);
  await daemon.write([put(grantRecord(1)), journal(event(1, 'seen'))]);
  const seen = inOtherProcess(
    `const reader = new SqliteStore({ directory, lock: false, onFailed() {} });
    await reader.open();
    say(JSON.stringify(await loadAll(reader, 0)));
    await reader.write([{ kind: 'meta', key: 'confirmed', value: 'no' }]).catch((error) => say(error.code));
    await reader.prune(10).catch((error) => say(error.code));
    await reader.close();`,
    directory,
  );
  const [state, ...codes] = seen.trim().split('\n');
  expect(JSON.parse(state ?? '')).toEqual({
    users: [],
    entries: [],
    names: [],
    resolved: [],
    grants: [grantRecord(1)],
    meta: {},
  });
  expect(codes).toEqual(['SP_STORE_REFUSED', 'SP_STORE_REFUSED']);
  await daemon.write([journal(event(2, 'and on it goes'))]);
  expect(details(await daemon.readJournal({ limit: 10 }))).toEqual(['seen', 'and on it goes']);
});

it('a plain SQLite program reads the database while a daemon writes it', async () => {
  const directory = newState();
  const daemon = await openStore(directory);
  await daemon.write([journal(event(1, 'seen'))]);
  const database = `${directory}/sallyport.db`;
  const script = `const db = new Sqlite(directory + '/sallyport.db'); say(db.prepare('SELECT detail FROM journal').pluck().get()); db.close();`;
  expect(inOtherProcess(script, directory)).toBe('seen\n');
  const shell = spawnSync('sqlite3', ['-readonly', database, 'SELECT detail FROM journal'], { encoding: 'utf8' });
  if (shell.error === undefined) expect(shell.stdout).toBe('seen\n');
  await daemon.write([journal(event(2))]);
});

it('a state that is not there reads as empty and is not made', async () => {
  const directory = newState();
  const reader = await openStore(directory, { lock: false });
  expect(await loadAll(reader, at(0))).toEqual({
    users: [],
    entries: [],
    names: [],
    resolved: [],
    grants: [],
    meta: {},
  });
  expect(await reader.readJournal({ limit: 10 })).toEqual([]);
  expect(
    inOtherProcess(`const { existsSync } = await import('node:fs'); say(String(existsSync(directory)));`, directory),
  ).toBe('false\n');
});

it('what a killed daemon left in its log is read without the lock', async () => {
  const directory = newState();
  const holder = startOtherProcess(HOLD, directory);
  await holder.saidLines(1);
  await holder.kill();
  const reader = await openStore(directory, { lock: false });
  expect((await loadAll(reader, at(0))).meta).toEqual({ confirmed: 'yes' });
});

/** Writes twenty at a time, numbered from `first`, and says the number of each that was acknowledged. */
const stream = (first: number) => `
await store.open();
const id = (n) => n.toString(8).padStart(8, '0');
const write = (n) => store.write([
  { kind: 'grant.put', record: { grant: { id: id(n), user: null, target: '203.0.113.7', services: ['ssh'], method: 'knock',
    openedAt: n, expires: n, ttl: 1000, note: null }, expiresAt: n, ended: null } },
  { kind: 'journal', event: { at: n, event: 'grant.opened', grant: id(n), detail: String(n) } },
]);
let next = ${first};
const worker = async () => { for (;;) { const n = next++; await write(n); say(String(n)); } };
await Promise.all(Array.from({ length: 20 }, worker));
`;

it('every acknowledged write is there after a SIGKILL at any moment, and each is whole', async () => {
  const directory = newState();
  const acknowledged = new Set<number>();
  for (const [round, killAfter] of [1, 30, 200, 777, 2500].entries()) {
    const writer = startOtherProcess(stream(1 + round * 100_000), directory);
    await writer.saidLines(killAfter);
    await writer.kill();
    for (const line of writer.lines()) acknowledged.add(Number(line));

    const store = await openStore(directory);
    const journalled = new Set(
      (await store.readJournal({ limit: 1_000_000 })).map(({ detail }: NumberedEvent) => Number(detail)),
    );
    const granted = new Set((await loadAll(store, at(0))).grants.map(({ grant }) => grant.openedAt as number));
    await store.close();
    expect([...acknowledged].filter((n) => !journalled.has(n))).toEqual([]);
    expect(journalled).toEqual(granted);
  }
});
