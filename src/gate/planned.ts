import { randomBytes } from 'node:crypto';
import type { Change } from '../core/store.js';
import type { Instant } from '../core/time.js';

/** An entry that is wanted, and the records that make it: none where it is there. */
export interface Planned<E> {
  readonly entry: E;
  readonly changes: readonly Change[];
}

interface Kept {
  readonly id: string;
  readonly note: string | null;
  readonly createdAt: Instant;
}

/** An entry before it is one. */
export type Wanted<E extends Kept> = Omit<E, 'id' | 'createdAt'>;

/**
 * What letting in takes: an entry for each that is wanted. Those that mean the same are the same entry, which a new note changes.
 * @param options.stored the entry that means the same, where there is one
 */
export function planEntries<E extends Kept>(
  wanted: readonly Wanted<E>[],
  {
    stored,
    meaningOf,
    changesOf,
    isTaken,
    now,
  }: {
    stored: (meaning: string) => E | undefined;
    meaningOf: (entry: Wanted<E>) => string;
    changesOf: (entry: E) => readonly Change[];
    isTaken: (id: string) => boolean;
    now: Instant;
  },
): Planned<E>[] {
  const known = new Map<string, E>();
  return wanted.map((one) => {
    const meaning = meaningOf(one);
    const same = known.get(meaning) ?? stored(meaning);
    if (same !== undefined && (one.note === null || one.note === same.note)) return { entry: same, changes: [] };
    const id = same?.id ?? newId(isTaken);
    const entry = { ...one, id, createdAt: same?.createdAt ?? now } as E;
    known.set(meaning, entry);
    return { entry, changes: changesOf(entry) };
  });
}

/** Among very many entries the dice fall twice alike, and the second would take the place of the first. */
function newId(isTaken: (id: string) => boolean): string {
  for (;;) {
    const id = `E${randomBytes(4).toString('hex')}`;
    if (!isTaken(id)) return id;
  }
}
