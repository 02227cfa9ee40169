import type { GrantRecord } from '../core/grants/grant.js';
import type { NumberedEvent, StoredState } from '../core/store.js';
import { named, type Row } from './columns.js';
import type { Page } from './reader.js';
import { toEntry, toGrantRecord, toMeta, toNameEntry, toNumberedEvent, toResolved, toUser } from './rows.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] };

/** What the pages of a load hold. The grants are decoded as they are asked for. @throws BadRow */
export async function collectState(pages: AsyncGenerator<Page, void, void>): Promise<StoredState> {
  const state: Writable<Omit<StoredState, 'grants'>> = { users: [], entries: [], names: [], resolved: [], meta: {} };
  try {
    let next = await pages.next();
    for (; next.done !== true && next.value.table !== 'grants'; next = await pages.next()) {
      const { table, rows } = next.value;
      if (table === 'users') decode(rows, 'user', 'id', toUser, state.users);
      else if (table === 'entries') decode(rows, 'entry', 'id', toEntry, state.entries);
      else if (table === 'names') decode(rows, 'name', 'id', toNameEntry, state.names);
      else if (table === 'resolved') decode(rows, 'name', 'name', toResolved, state.resolved);
      else if (table === 'meta') state.meta = Object.fromEntries(decode(rows, 'meta', 'key', toMeta));
    }
    return { ...state, grants: grantsOf(next.value ?? undefined, pages) };
  } catch (error) {
    await pages.return();
    throw error;
  }
}

async function* grantsOf(
  first: Page | undefined,
  rest: AsyncGenerator<Page, void, void>,
): AsyncGenerator<readonly GrantRecord[], void, void> {
  try {
    if (first !== undefined) yield decode(first.rows, 'grant', 'id', toGrantRecord);
    for await (const { rows } of rest) yield decode(rows, 'grant', 'id', toGrantRecord);
  } finally {
    await rest.return();
  }
}

/** What the pages of a journal query hold, oldest first. @throws BadRow */
export async function collectEvents(pages: AsyncIterable<Page>): Promise<readonly NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  for await (const { rows } of pages) decode(rows, 'journal', 'seq', toNumberedEvent, events);
  return events.reverse();
}

function decode<T>(json: string, name: string, key: string, toItem: (row: Row) => T, into: T[] = []): T[] {
  for (const row of JSON.parse(json) as Row[]) into.push(named(name, key, row, toItem));
  return into;
}
