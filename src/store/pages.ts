import type { NumberedEvent, StoredState } from '../core/store.js';
import { named, type Row } from './columns.js';
import type { Page } from './reader.js';
import { toEntry, toGrantRecord, toMeta, toNumberedEvent, toUser } from './rows.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] };

/** What the pages of a load hold. @throws BadRow */
export async function collectState(pages: AsyncIterable<Page>): Promise<StoredState> {
  const state: Writable<StoredState> = { users: [], entries: [], grants: [], meta: {} };
  for await (const { table, rows } of pages) {
    if (table === 'users') decode(rows, 'user', 'id', toUser, state.users);
    else if (table === 'entries') decode(rows, 'entry', 'id', toEntry, state.entries);
    else if (table === 'grants') decode(rows, 'grant', 'id', toGrantRecord, state.grants);
    else if (table === 'meta') {
      state.meta = Object.fromEntries(decode(rows, 'meta', 'key', toMeta));
    }
  }
  return state;
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
