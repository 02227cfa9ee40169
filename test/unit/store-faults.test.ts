import { closeSync, ftruncateSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Change } from '#dist/core/store.js';
import { Sqlite } from '#dist/store/driver.js';
import { MIGRATIONS, migrate, schemaVersion } from '#dist/store/schema.js';
import {
  at,
  canMount,
  details,
  entry,
  event,
  grantRecord,
  journal,
  loadAll,
  mountTmpfs,
  newState,
  openStore,
  put,
  startOtherProcess,
  storeOn,
  user,
} from '../support/store.ts';

const BOTH = [{ lock: true }, { lock: false }];

/** A closed state with a little of everything. */
async function oldState(events = 10): Promise<{ directory: string; database: string }> {
  const directory = newState();
  const store = await openStore(directory);
  await store.write([
    { kind: 'user.put', user: user(1) },
    { kind: 'entry.put', entry: entry('a') },
    put(grantRecord(1)),
  ]);
  await store.write(Array.from({ length: events }, (_, n) => journal(event(n, `event ${n} ${'x'.repeat(200)}`))));
  await store.close();
  return { directory, database: `${directory}/sallyport.db` };
}

function edit(database: string, sql: string): void {
  const db = new Sqlite(database);
  db.exec(sql);
  db.close();
}

function overwrite(file: string, offset: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, bytes, 0, bytes.length, offset);
  closeSync(handle);
}

/** Bytes that look like nothing; the same ones each time. */
const garbage = (size: number) =>
  Buffer.from(Array.from({ length: size }, (_, n) => (n * 167 + (n >> 3) * 89 + 13) & 0xff));

describe('a directory that cannot be used is refused', () => {
  it('where a file is in its way', async () => {
    const directory = newState();
    writeFileSync(directory, 'a file');
    await expect(storeOn(directory).open()).rejects.toMatchObject({ code: 'SP_STATE_UNWRITABLE' });
    await expect(storeOn(`${directory}/below`).open()).rejects.toMatchObject({ code: 'SP_STATE_UNWRITABLE' });
  });

  it.skipIf(!canMount)('where its file system is read-only', async () => {
    const disk = mountTmpfs('4m');
    disk.makeReadOnly();
    await expect(storeOn(disk.directory).open()).rejects.toMatchObject({
      code: 'SP_STATE_UNWRITABLE',
      message: expect.stringContaining('read-only'),
    });
    await expect(storeOn(`${disk.directory}/below`).open()).rejects.toMatchObject({ code: 'SP_STATE_UNWRITABLE' });
  });
});

describe.skipIf(!canMount)('a full disk', () => {
  const page = (n: number): Change => journal(event(n, `${n} ${'x'.repeat(3000)}`));

  it('is told, loses nothing that was acknowledged, and once there is room the next write works', async () => {
    const { directory } = mountTmpfs('3m');
    const state = `${directory}/state`;
    const ballast = `${directory}/ballast`;
    const store = await openStore(state);
    writeFileSync(ballast, Buffer.alloc(1_500_000));
    const kept: number[] = [];
    let n = 0;
    const full = async () => {
      for (;;) {
        n++;
        try {
          await store.write([page(n)]);
          kept.push(n);
        } catch (error) {
          return error;
        }
      }
    };
    expect(await full()).toMatchObject({ code: 'SP_STORE_FULL' });
    const refused = await Promise.allSettled([store.write([page(900_001)]), store.write([page(900_002)])]);
    expect(refused).toMatchObject([{ reason: { code: 'SP_STORE_FULL' } }, { reason: { code: 'SP_STORE_FULL' } }]);
    expect((await store.readJournal({ limit: 10_000 })).map((one) => one.at)).toEqual(kept);

    rmSync(ballast);
    await store.write([page(1_000_000)]);
    kept.push(1_000_000);
    await store.close();
    const again = await openStore(state);
    expect((await again.readJournal({ limit: 10_000 })).map((one) => one.at)).toEqual(kept);
  });

  it('refuses an opening with a code, and the state opens once there is room', async () => {
    const { directory } = mountTmpfs('1m');
    const ballast = `${directory}/ballast`;
    expect(() => writeFileSync(ballast, Buffer.alloc(2_000_000))).toThrow('ENOSPC');
    await expect(storeOn(`${directory}/state`).open()).rejects.toMatchObject({ code: 'SP_STORE_FULL' });
    rmSync(ballast);
    const store = await openStore(`${directory}/state`);
    await store.write([journal(event(1, 'kept'))]);
    expect(details(await store.readJournal({ limit: 1 }))).toEqual(['kept']);
  });
});

describe('a damaged database is refused, and left as it is', () => {
  it.each(BOTH)('where the file is something else (%j)', async (options) => {
    const { directory, database } = await oldState();
    writeFileSync(database, 'this was a database once\n'.repeat(1000));
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({
      code: 'SP_STORE_DAMAGED',
      message: expect.stringContaining('it is not a database'),
    });
    expect(statSync(database).size).toBe(25_000);
  });

  it.each(BOTH)('where the file is empty: what was lost must not pass for a beginning (%j)', async (options) => {
    const { directory, database } = await oldState();
    writeFileSync(database, '');
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
    expect(statSync(database).size).toBe(0);
  });

  it.each(BOTH)("where it is another program's (%j)", async (options) => {
    const { directory, database } = await oldState();
    rmSync(database);
    edit(database, 'CREATE TABLE songs (title TEXT)');
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
  });

  it.each(BOTH)('where garbage lies in its middle (%j)', async (options) => {
    const { directory, database } = await oldState(500);
    const pages = Math.floor(statSync(database).size / 4096);
    overwrite(database, Math.floor(pages / 2) * 4096, garbage(4096));
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
  });

  it.each(BOTH)('where its end is missing (%j)', async (options) => {
    const { directory, database } = await oldState(500);
    const handle = openSync(database, 'r+');
    ftruncateSync(handle, statSync(database).size - 5 * 4096);
    closeSync(handle);
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
  });

  it('where a large one is found damaged only when that part is read', async () => {
    const { directory, database } = await oldState(500);
    const pages = Math.floor(statSync(database).size / 4096);
    overwrite(database, Math.floor(pages / 2) * 4096, garbage(8 * 4096));
    const store = await openStore(directory, { checkedBelow: 0 });
    await expect(store.readJournal({ limit: 1000 })).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
    expect((await loadAll(store, at(0))).users).toEqual([user(1)]);
  });

  it.each([
    ["UPDATE grants SET target = 'nonsense'", 'grant 00000001: target'],
    ['UPDATE grants SET services = \'["ssh"\'', 'grant 00000001: services'],
    ["UPDATE grants SET services = '[]'", 'grant 00000001: services'],
    ["UPDATE grants SET method = 'magic'", 'grant 00000001: method'],
    ['UPDATE grants SET user_id = NULL', 'grant 00000001: user_id'],
    ['UPDATE grants SET ended_at = 7', 'grant 00000001: end_reason'],
    ['UPDATE grants SET expires_mono = 9223372036854775807', 'grant 00000001: expires_mono'],
    ["UPDATE users SET name = 'a b'", 'user 1: name'],
    ['DELETE FROM sequences', 'user 1: sequence_id'],
    ["UPDATE entries SET source = 'magic'", 'entry a: source'],
  ])('where a row does not parse: %s', async (sql, where) => {
    const { directory, database } = await oldState();
    edit(database, sql);
    const store = await openStore(directory);
    await expect(loadAll(store, at(0))).rejects.toMatchObject({
      code: 'SP_STORE_DAMAGED',
      message: `the database ${database} is damaged: ${where} cannot be read`,
    });
    expect(await store.readJournal({ limit: 100 })).toHaveLength(10);
    await store.write([journal(event(1))]);
  });

  it('where a table vanishes under a running daemon, which goes on with the rest', async () => {
    const { directory, database } = await oldState();
    const store = await openStore(directory);
    edit(database, 'DROP TABLE journal');
    const writes = [store.write([{ kind: 'meta', key: 'last_id', value: '1' }]), store.write([journal(event(1))])];
    for (const outcome of await Promise.allSettled(writes)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SP_STORE_DAMAGED' } });
    }
    await store.write([{ kind: 'meta', key: 'last_id', value: '2' }]);
    expect((await loadAll(store, at(0))).meta).toEqual({ last_id: '2' });
  });

  it('where a sequence does not parse, without telling any of it', async () => {
    const { directory, database } = await oldState();
    edit(database, "UPDATE sequences SET steps = 'tcp/23456,udp/sesame'");
    const store = await openStore(directory);
    const error: Error = await loadAll(store, at(0)).then(
      () => new Error('loaded'),
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: 'SP_STORE_DAMAGED' });
    expect(`${error.message} ${error.cause} ${error.stack}`).not.toMatch(/23456|sesame/);
  });

  it('where a line of the journal does not parse, and the other lines are read', async () => {
    const { directory, database } = await oldState();
    edit(database, "UPDATE journal SET address = 'nonsense' WHERE seq = 1");
    const store = await openStore(directory);
    await expect(store.readJournal({ limit: 100 })).rejects.toMatchObject({ code: 'SP_STORE_DAMAGED' });
    expect(await store.readJournal({ limit: 9 })).toHaveLength(9);
  });
});

describe('versions of the schema', () => {
  it.each(BOTH)('a database of a newer version is refused and left as it is (%j)', async (options) => {
    const { directory, database } = await oldState();
    edit(database, 'PRAGMA user_version = 99; CREATE TABLE tomorrow (x)');
    await expect(storeOn(directory, options).open()).rejects.toMatchObject({
      code: 'SP_STORE_NEWER',
      message: expect.stringContaining(`schema 99, and this version knows up to ${MIGRATIONS.length}`),
    });
    const db = new Sqlite(database);
    expect(schemaVersion(db)).toBe(99);
    db.close();
  });

  const STEPS = ['CREATE TABLE a (x)', 'CREATE TABLE b (x); INSERT INTO b VALUES (1)', 'ALTER TABLE b ADD COLUMN y'];
  const tables = 'SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)';

  it('migrations run from where the database is, each once', () => {
    const db = new Sqlite(':memory:');
    migrate(db, 'x', STEPS.slice(0, 1));
    expect(schemaVersion(db)).toBe(1);
    migrate(db, 'x', STEPS);
    migrate(db, 'x', STEPS);
    expect([schemaVersion(db), db.prepare(tables).pluck().get()]).toEqual([3, 'a,b']);
    expect(() => migrate(db, 'x', STEPS.slice(0, 2))).toThrow('SP_STORE_NEWER');
  });

  it('a migration that breaks off leaves the version before it, whole', () => {
    const db = new Sqlite(':memory:');
    expect(() => migrate(db, 'x', [...STEPS.slice(0, 1), 'CREATE TABLE b (x); SELECT nonsense'])).toThrow();
    expect([schemaVersion(db), db.prepare(tables).pluck().get()]).toEqual([1, 'a']);
    migrate(db, 'x', STEPS);
    expect(schemaVersion(db)).toBe(3);
  });
});

it('a database that was moved away is begun anew, and nothing of it comes back out of its log', async () => {
  const { directory, database } = await oldState();
  const daemon = startOtherProcess(
    `await store.open();
    await store.write([{ kind: 'user.remove', id: 1 }, { kind: 'meta', key: 'last_id', value: '7' }]);
    say('written');
    setInterval(() => {}, 1000);`,
    directory,
  );
  await daemon.saidLines(1);
  await daemon.kill();
  expect(statSync(`${database}-wal`).size).toBeGreaterThan(0);
  rmSync(database);
  writeFileSync(`${database}.new`, 'what a broken-off creation left');
  const store = await openStore(directory);
  expect(await loadAll(store, at(0))).toEqual({
    users: [],
    entries: [],
    names: [],
    resolved: [],
    grants: [],
    meta: {},
  });
});
