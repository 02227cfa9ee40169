import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { onTestFinished, vi } from 'vitest';
import { parseAddress, parseTarget } from '#dist/core/address.js';
import type { Entry } from '#dist/core/entry.js';
import type { GrantId, GrantRecord } from '#dist/core/grants/grant.js';
import type { JournalEvent } from '#dist/core/journal.js';
import { parseHostName } from '#dist/core/names/host-name.js';
import type { NameEntry, ResolvedName } from '#dist/core/names/name-entry.js';
import { parseSequence } from '#dist/core/sequence.js';
import type { ServiceName } from '#dist/core/service.js';
import type { Change, NumberedEvent } from '#dist/core/store.js';
import { hours, type Instant, type Monotonic, minutes } from '#dist/core/time.js';
import { parseUserName, type User } from '#dist/core/user.js';
import { SqliteStore, type SqliteStoreOptions } from '#dist/store/sqlite-store.js';

/** A bound for a busy machine, in milliseconds; the slowest of these tests takes some seconds on a quiet one. */
const PATIENCE = 180_000;
vi.setConfig({ testTimeout: PATIENCE, hookTimeout: PATIENCE });

export const at = (ms: number): Instant => ms as Instant;

/** The id of the nth grant: eight digits of Crockford's base 32. */
export const grantId = (n: number): GrantId => n.toString(8).padStart(8, '0') as GrantId;

export function grantRecord(n: number, change: Partial<GrantRecord['grant']> = {}): GrantRecord {
  return {
    grant: {
      id: grantId(n),
      user: { id: 1, name: parseUserName('ana') },
      target: parseTarget('203.0.113.7'),
      services: ['ssh' as ServiceName],
      method: 'knock',
      openedAt: at(1_000_000 + n),
      expires: (5_000_000 + n) as Monotonic,
      ttl: hours(1),
      note: null,
      ...change,
    },
    expiresAt: at(4_600_000 + n),
    ended: null,
  };
}

export function user(id: number, change: Partial<User> = {}): User {
  return {
    id,
    name: parseUserName(`user${id}`),
    services: ['ssh' as ServiceName],
    ttl: null,
    maxAddresses: 5,
    sequenceId: id,
    sequence: parseSequence('tcp/21234,udp/28111,tcp/24711'),
    account: null,
    pinHash: null,
    approval: 'none',
    number: null,
    createdAt: at(1_000_000),
    ...change,
  };
}

export function entry(id: string, change: Partial<Entry> = {}): Entry {
  return {
    id,
    target: parseTarget('198.51.100.0/24'),
    services: ['ssh' as ServiceName],
    note: null,
    source: 'operator',
    createdAt: at(1_000_000),
    ...change,
  };
}

export function name(id: string): NameEntry {
  const home = parseHostName('home.example.org');
  return {
    id,
    name: home,
    services: ['ssh' as ServiceName],
    note: 'home',
    source: 'operator',
    createdAt: at(1_000_000),
  };
}

export function resolved(): ResolvedName {
  const addresses = [parseAddress('203.0.113.7'), parseAddress('2001:db8::7')];
  return { name: parseHostName('home.example.org'), addresses, resolvedAt: at(1_000_000), missingSince: null };
}

/** An event as it reads back: what was left out is null. */
export const event = (ms: number, detail: string | null = null): Required<JournalEvent> => ({
  at: at(ms),
  event: 'grant.opened',
  user: 'ana',
  address: parseTarget('203.0.113.7'),
  method: 'knock',
  services: ['ssh' as ServiceName],
  grant: grantId(1),
  detail,
});

export const put = (record: GrantRecord): Change => ({ kind: 'grant.put', record });
export const journal = (one: JournalEvent): Change => ({ kind: 'journal', event: one });
export const details = (events: readonly NumberedEvent[]): unknown[] => events.map(({ detail }) => detail);

/** A directory that goes with the test; the state lies in a folder of it that does not exist yet. */
export function newState(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'state');
}

/** A store that is closed when the test ends. */
export function storeOn(directory: string, options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  const store = new SqliteStore({
    directory,
    // A busy machine is no failure of the store.
    deadline: minutes(2),
    onFailed: (error) => {
      throw error;
    },
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

export async function openStore(directory: string, options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  const store = storeOn(directory, options);
  await store.open();
  return store;
}

/** All that a load gives, with the grants at hand. */
export async function loadAll(store: SqliteStore, endedAfter: Instant) {
  const { grants: pages, ...state } = await store.load(endedAfter);
  const grants: GrantRecord[] = [];
  for await (const page of pages) grants.push(...page);
  return { ...state, grants };
}

/** The thread of the store that is opened next. */
export function nextWorker(): Promise<Worker> {
  return new Promise((resolve) => {
    process.once('worker', resolve);
    onTestFinished(() => void process.off('worker', resolve));
  });
}

const MODULES = `
import { SqliteStore } from ${JSON.stringify(new URL('../../dist/store/sqlite-store.js', import.meta.url))};
import { Sqlite } from ${JSON.stringify(new URL('../../dist/store/driver.js', import.meta.url))};
const loadAll = async (store, endedAfter) => {
  const { grants: pages, ...state } = await store.load(endedAfter);
  const grants = [];
  for await (const page of pages) grants.push(...page);
  return { ...state, grants };
};
const say = (text) => process.stdout.write(text + '\\n');
const [directory] = process.argv.slice(-1);
const store = new SqliteStore({ directory, onFailed(error) { throw error; } });
`;

const argumentsFor = (script: string, directory: string) => ['--input-type=module', '-e', MODULES + script, directory];

/** A script in a process of its own, with `store` (not open yet), `loadAll`, `Sqlite`, `directory` and `say`; gives what it said. */
export function inOtherProcess(script: string, directory: string): string {
  return execFileSync(process.execPath, argumentsFor(script, directory), { encoding: 'utf8', timeout: 60_000 });
}

/** The same, running beside the test and killed with it. */
export function startOtherProcess(script: string, directory: string) {
  const child = spawn(process.execPath, argumentsFor(script, directory), { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    for (const listener of listeners) listener();
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(kill);
  return {
    pid: child.pid,
    kill,
    lines: () => said.split('\n').slice(0, -1),
    /** Resolves when it has said so many lines; rejects when it is gone before. */
    saidLines: (count: number) =>
      new Promise<void>((resolve, reject) => {
        const look = () => said.split('\n').length > count && resolve();
        listeners.add(look);
        void gone.then(() => reject(new Error(`it ended after ${JSON.stringify(said)}`)));
        look();
      }),
  };
}

/** Whether tests may mount: root in a container often may not. */
export const canMount = (() => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'sallyport-test', directory]).status === 0;
  if (mounted) spawnSync('umount', [directory]);
  rmSync(directory, { recursive: true });
  return mounted;
})();

/** A file system of its own for a test. */
export function mountTmpfs(size: string) {
  const directory = newState();
  mkdirSync(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'sallyport-test', directory]);
  onTestFinished(() => void execFileSync('umount', ['-l', directory]));
  return {
    directory,
    makeReadOnly: () => void execFileSync('mount', ['-o', 'remount,ro', directory]),
  };
}
