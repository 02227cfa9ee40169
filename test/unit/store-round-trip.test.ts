import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Address, formatAddress, isAddress, networkTarget, type Target } from '#dist/core/address.js';
import type { Entry } from '#dist/core/entry.js';
import type { GrantId, GrantRecord } from '#dist/core/grants/grant.js';
import type { JournalEvent } from '#dist/core/journal.js';
import { parseHostName } from '#dist/core/names/host-name.js';
import type { NameEntry, ResolvedName } from '#dist/core/names/name-entry.js';
import { toPort } from '#dist/core/ports.js';
import type { Sequence } from '#dist/core/sequence.js';
import type { Scope, ServiceName } from '#dist/core/service.js';
import type { Change, NumberedEvent } from '#dist/core/store.js';
import { type Duration, type Instant, type Monotonic, minutes } from '#dist/core/time.js';
import { parsePhoneNumber, parseUserName, type User } from '#dist/core/user.js';
import { SqliteStore } from '#dist/store/sqlite-store.js';
import {
  at,
  details,
  entry,
  event,
  grantId,
  grantRecord,
  journal,
  loadAll,
  name,
  newState,
  openStore,
  put,
  resolved,
  user,
} from '../support/store.ts';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const words = fc.string({ unit: 'binary', maxLength: 40 });
const instant = fc.integer({ min: -(10 ** 12), max: 10 ** 14 }).map((n) => n as Instant);
const monotonic = fc.integer({ min: -(10 ** 9), max: 10 ** 12 }).map((n) => n as Monotonic);
const ttl = fc.integer({ min: 1, max: 10 ** 11 }).map((n) => n as Duration);
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((bits) => formatAddress(4, bits)),
  // Not IPv4-mapped, which no target can be.
  fc.bigInt({ min: 2n ** 64n, max: 2n ** 128n - 1n }).map((bits) => formatAddress(6, bits)),
);
const target: fc.Arbitrary<Target> = fc
  .oneof(
    address,
    fc.tuple(address, fc.nat({ max: 32 })).map(([one, length]) => networkTarget(one, length)),
  )
  .filter((one) => isAddress(one) || !one.startsWith('::ffff:'));
const serviceName = fc.stringMatching(/^[a-z][a-z0-9_-]{0,23}$/).filter((name) => name !== 'all');
const scope: fc.Arbitrary<Scope> = fc
  .oneof(
    fc.constant(['all'] as string[]),
    fc.uniqueArray(serviceName, { minLength: 1, maxLength: 4 }).map((names) => names.sort()),
  )
  .map((names) => names as ServiceName[]);
const userName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/).map(parseUserName);
const method = fc.constantFrom('knock', 'spa', 'phone', 'cli', 'console');
const id = fc
  .string({ unit: fc.constantFrom(...CROCKFORD), minLength: 8, maxLength: 8 })
  .map((text) => text as GrantId);
const sequence: fc.Arbitrary<Sequence> = fc.array(
  fc.record({
    protocol: fc.constantFrom('tcp', 'udp'),
    port: fc.integer({ min: 1, max: 65535 }).map(toPort),
  }),
  { minLength: 2, maxLength: 8 },
);

const someUser: fc.Arbitrary<User> = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 40 }),
  name: userName,
  services: scope,
  ttl: fc.option(ttl),
  maxAddresses: fc.integer({ min: 1, max: 1000 }),
  sequenceId: fc.integer({ min: 1, max: 2 ** 28 - 1 }),
  sequence,
  account: fc.option(fc.stringMatching(/^\d{1,12}$/)),
  pinHash: fc.option(words),
  approval: fc.constantFrom('none', 'phone', 'callback'),
  number: fc.option(fc.stringMatching(/^\+?[0-9*#]{2,24}$/).map(parsePhoneNumber)),
  createdAt: instant,
});

const someGrant: fc.Arbitrary<GrantRecord> = fc.record({
  grant: fc.record({
    id,
    user: fc.option(fc.record({ id: fc.integer({ min: 1, max: 2 ** 40 }), name: userName })),
    target,
    services: scope,
    method,
    openedAt: instant,
    expires: monotonic,
    ttl,
    note: fc.option(words),
  }),
  expiresAt: instant,
  ended: fc.option(fc.record({ at: instant, reason: fc.constantFrom('expired', 'revoked', 'evicted') })),
});

const someEntry: fc.Arbitrary<Entry> = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9-]{1,32}$/),
  target,
  services: scope,
  note: fc.option(words),
  source: fc.constantFrom('operator', 'setup', 'config'),
  createdAt: instant,
});

const hostName = fc.stringMatching(/^[a-z0-9]{1,20}(\.[a-z]{2,10}){1,3}$/).map(parseHostName);

const someName: fc.Arbitrary<NameEntry> = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9-]{1,32}$/),
  name: hostName,
  services: scope,
  note: fc.option(words),
  source: fc.constant('operator'),
  createdAt: instant,
});

const someResolved: fc.Arbitrary<ResolvedName> = fc.record({
  name: hostName,
  addresses: fc.array(address, { maxLength: 32 }),
  resolvedAt: fc.option(instant),
  missingSince: fc.option(instant),
});

const someEvent: fc.Arbitrary<Required<JournalEvent>> = fc.record({
  at: instant,
  event: fc.constantFrom('grant.opened', 'attempt.refused', 'drift.repaired', 'user.added', 'daemon.started'),
  user: fc.option(words),
  address: fc.option(target),
  method: fc.option(method),
  services: fc.option(scope),
  grant: fc.option(id),
  detail: fc.option(words),
});

const byId = <T>(items: readonly T[], idOf: (item: T) => string | number) =>
  new Map(items.map((item) => [idOf(item), item]));

describe('what was written is read back', () => {
  let directory: string;
  let store: SqliteStore;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
    store = new SqliteStore({ directory, deadline: minutes(2), onFailed: () => undefined });
    await store.open();
  });
  afterAll(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });

  it('any users, with their sequences, accounts and PIN hashes', async () => {
    const users = fc.uniqueArray(someUser, {
      maxLength: 20,
      comparator: (a, b) =>
        a.id === b.id ||
        a.name === b.name ||
        a.sequenceId === b.sequenceId ||
        (a.account !== null && a.account === b.account),
    });
    await fc.assert(
      fc.asyncProperty(users, async (some) => {
        await store.write(some.map((one) => ({ kind: 'user.put', user: one })));
        expect((await loadAll(store, at(0))).users).toEqual([...some].sort((a, b) => a.id - b.id));
        await store.write(some.map((one) => ({ kind: 'user.remove', id: one.id })));
        expect((await loadAll(store, at(0))).users).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('any grants: the live ones, and those that ended after a moment', async () => {
    const grants = fc.uniqueArray(someGrant, { maxLength: 20, selector: ({ grant }) => grant.id });
    await fc.assert(
      fc.asyncProperty(grants, instant, async (some, endedAfter) => {
        await store.write(some.map(put));
        const wanted = some.filter(({ ended }) => ended === null || ended.at > endedAfter);
        const idOf = ({ grant }: GrantRecord) => grant.id;
        const loaded = await loadAll(store, endedAfter);
        const ours = new Set(some.map(idOf));
        expect(
          byId(
            loaded.grants.filter((one) => ours.has(idOf(one))),
            idOf,
          ),
        ).toEqual(byId(wanted, idOf));
      }),
      { numRuns: 40 },
    );
  });

  it('any entries', async () => {
    const entries = fc.uniqueArray(someEntry, { maxLength: 20, selector: (one) => one.id });
    await fc.assert(
      fc.asyncProperty(entries, async (some) => {
        await store.write(some.map((one) => ({ kind: 'entry.put', entry: one })));
        expect(byId((await loadAll(store, at(0))).entries, (one) => one.id)).toEqual(byId(some, (one) => one.id));
        await store.write(some.map((one) => ({ kind: 'entry.remove', id: one.id })));
        expect((await loadAll(store, at(0))).entries).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('any names, and what is known of them', async () => {
    const names = fc.uniqueArray(someName, { maxLength: 20, selector: (one) => one.id });
    const known = fc.uniqueArray(someResolved, { maxLength: 20, selector: (one) => one.name });
    await fc.assert(
      fc.asyncProperty(names, known, async (some, resolvedOnes) => {
        await store.write(some.map((one) => ({ kind: 'name.put', entry: one })));
        await store.write(resolvedOnes.map((one) => ({ kind: 'resolved.put', resolved: one })));
        const read = await loadAll(store, at(0));
        expect(byId(read.names, (one) => one.id)).toEqual(byId(some, (one) => one.id));
        expect(byId(read.resolved, (one) => one.name)).toEqual(byId(resolvedOnes, (one) => one.name));
        await store.write(some.map((one) => ({ kind: 'name.remove', id: one.id })));
        await store.write(resolvedOnes.map((one) => ({ kind: 'resolved.remove', name: one.name })));
        const { names: left, resolved: leftKnown } = await loadAll(store, at(0));
        expect([left, leftKnown]).toEqual([[], []]);
      }),
      { numRuns: 40 },
    );
  });

  it('any events, numbered in the order in which they were written', async () => {
    let last = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(someEvent, { maxLength: 20 }), async (some) => {
        await store.write(some.map(journal));
        const read = await store.readJournal({ afterSeq: last, limit: 100 });
        expect(read).toEqual(some.map((one, index) => ({ seq: last + 1 + index, ...one })));
        last += some.length;
      }),
      { numRuns: 40 },
    );
  });
});

it('what a journal event leaves out reads back as null', async () => {
  const store = await openStore(newState());
  await store.write([{ kind: 'journal', event: { at: at(7), event: 'daemon.started' } }]);
  expect(await store.readJournal({ limit: 10 })).toEqual([
    {
      seq: 1,
      at: 7,
      event: 'daemon.started',
      user: null,
      address: null,
      method: null,
      services: null,
      grant: null,
      detail: null,
    },
  ]);
});

it('the events of one name are found among the others, since a moment if one is given', async () => {
  const store = await openStore(newState());
  const struck = (n: number) => ({ ...event(n, `strike ${n}`), event: 'strike.ignored' as const });
  await store.write([struck(1), event(2, 'other'), struck(3), event(4, 'other'), struck(5)].map(journal));
  const found = async (query: object) =>
    details(await store.readJournal({ event: 'strike.ignored', limit: 10, ...query }));
  expect(await found({})).toEqual(['strike 1', 'strike 3', 'strike 5']);
  expect(await found({ since: at(2) })).toEqual(['strike 3', 'strike 5']);
  expect(await found({ since: at(2), limit: 1 })).toEqual(['strike 5']);
});

it('a fraction of a millisecond is rounded down, so that no grant reads back longer', async () => {
  const store = await openStore(newState());
  const record = grantRecord(1, { expires: 10.9 as Monotonic });
  await store.write([put({ ...record, expiresAt: 20.9 as Instant })]);
  const [read] = (await loadAll(store, at(0))).grants;
  expect([read?.grant.expires, read?.expiresAt]).toEqual([10, 20]);
});

it('all of it is still there after closing and opening again', async () => {
  const directory = newState();
  const first = await openStore(directory);
  await first.write([
    { kind: 'user.put', user: user(1) },
    { kind: 'entry.put', entry: entry('a') },
    { kind: 'name.put', entry: name('b') },
    { kind: 'resolved.put', resolved: resolved() },
    put(grantRecord(1)),
    journal(event(5, 'kept')),
    { kind: 'meta', key: 'confirmed', value: 'yes' },
  ]);
  await first.close();
  const second = await openStore(directory);
  expect(await loadAll(second, at(0))).toEqual({
    users: [user(1)],
    entries: [entry('a')],
    names: [name('b')],
    resolved: [resolved()],
    grants: [grantRecord(1)],
    meta: { confirmed: 'yes' },
  });
  expect(details(await second.readJournal({ limit: 10 }))).toEqual(['kept']);
});

it('a renewal replaces the grant, a change replaces the user, and each stays one', async () => {
  const store = await openStore(newState());
  const renewed = grantRecord(1, { expires: 9_999_999 as Monotonic, services: ['sip', 'ssh'] as ServiceName[] });
  const changed = user(1, { account: '1001', sequenceId: 8, sequence: [...user(1).sequence].reverse() });
  await store.write([
    put(grantRecord(1)),
    { kind: 'user.put', user: user(1) },
    { kind: 'meta', key: 'last_id', value: '1' },
  ]);
  await store.write([put(renewed), { kind: 'user.put', user: changed }, { kind: 'meta', key: 'last_id', value: '8' }]);
  expect(await loadAll(store, at(0))).toEqual({
    users: [changed],
    entries: [],
    names: [],
    resolved: [],
    grants: [renewed],
    meta: { last_id: '8' },
  });
});

it('an end is kept with its reason, and the first one stands', async () => {
  const store = await openStore(newState());
  await store.write([put(grantRecord(1))]);
  await store.write([{ kind: 'grant.end', id: grantId(1), at: at(500), reason: 'revoked' }]);
  await store.write([{ kind: 'grant.end', id: grantId(1), at: at(900), reason: 'expired' }]);
  await store.write([{ kind: 'grant.end', id: grantId(2), at: at(900), reason: 'expired' }]);
  expect((await loadAll(store, at(499))).grants).toEqual([
    { ...grantRecord(1), ended: { at: 500, reason: 'revoked' } },
  ]);
  expect((await loadAll(store, at(500))).grants).toEqual([]);
});

it('the journal answers every query like a plain filter would, also after the clock was set back', async () => {
  const store = await openStore(newState());
  const moments = Array.from({ length: 300 }, (_, n) => (n < 200 ? 1000 + n * 10 : 500 + n * 5));
  const all: NumberedEvent[] = moments.map((ms, index) => ({ seq: index + 1, ...event(ms, `${index}`) }));
  await store.write(moments.map((ms, index) => journal(event(ms, `${index}`))));
  const optional = (most: number) => fc.option(fc.nat({ max: most }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(optional(3500), optional(310), fc.nat({ max: 320 }), async (since, afterSeq, limit) => {
      const wanted = all.filter((one) => one.at >= (since ?? 0) && one.seq > (afterSeq ?? 0));
      const query = {
        ...(since === undefined ? {} : { since: at(since) }),
        ...(afterSeq === undefined ? {} : { afterSeq }),
        limit,
      };
      expect(await store.readJournal(query)).toEqual(limit === 0 ? [] : wanted.slice(-limit));
    }),
    { numRuns: 150 },
  );
});

it('a load is one moment, whatever is written while it is fetched', async () => {
  const store = await openStore(newState());
  const joined = (n: number): Change[] => [
    { kind: 'user.put', user: user(n) },
    put(grantRecord(n)),
    put(grantRecord(n + 500)),
  ];
  await store.write(joined(1));
  const loading = loadAll(store, at(0));
  const writing = Array.from({ length: 100 }, (_, n) => store.write(joined(n + 2)));
  const { users, grants } = await loading;
  await Promise.all(writing);
  expect(grants).toHaveLength(users.length * 2);
  expect(await loadAll(store, at(0))).toMatchObject({ users: { length: 101 }, grants: { length: 202 } });
});

it('a load of several pages misses and repeats nothing', async () => {
  const store = await openStore(newState());
  const records = Array.from({ length: 2500 }, (_, n) => grantRecord(n));
  await store.write(records.map(put));
  const { grants } = await loadAll(store, at(0));
  expect(grants.map(({ grant }) => grant.id).sort()).toEqual(records.map(({ grant }) => grant.id));
});

it('answers asked for at the same time do not mix', async () => {
  const store = await openStore(newState());
  await store.write(Array.from({ length: 2500 }, (_, n) => journal(event(n, `${n}`))));
  await store.write([put(grantRecord(1))]);
  const [all, state, last] = await Promise.all([
    store.readJournal({ limit: 5000 }),
    loadAll(store, at(0)),
    store.readJournal({ limit: 2 }),
  ]);
  expect(details(all)).toEqual(Array.from({ length: 2500 }, (_, n) => `${n}`));
  expect(state.grants).toEqual([grantRecord(1)]);
  expect(details(last)).toEqual(['2498', '2499']);
});
