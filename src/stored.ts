import type { GrantRecord } from './core/grants/grant.js';
import type { StoredState } from './core/store.js';
import type { Instant } from './core/time.js';
import type { User } from './core/user.js';
import { SqliteStore } from './store/sqlite-store.js';

/** What is kept, with all its grants at hand. */
export interface Stored extends Omit<StoredState, 'grants'> {
  readonly grants: readonly GrantRecord[];
}

/** Reads what is kept, beside a daemon if one runs, and changes nothing. @throws SP_STORE_* */
export async function readStored(directory: string, endedAfter: Instant): Promise<Stored> {
  const store = new SqliteStore({ directory, lock: false, onFailed: () => undefined });
  await store.open();
  try {
    const state = await store.load(endedAfter);
    const grants: GrantRecord[] = [];
    for await (const page of state.grants) for (const record of page) grants.push(record);
    return { ...state, grants };
  } finally {
    await store.close();
  }
}

/** The users that are kept; undefined where they cannot be read from here. */
export async function storedUsers(directory: string): Promise<readonly User[] | undefined> {
  try {
    return (await readStored(directory, Number.MAX_SAFE_INTEGER as Instant)).users;
  } catch {
    return undefined;
  }
}
