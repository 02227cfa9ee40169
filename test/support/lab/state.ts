import { join } from 'node:path';
import { type Database, Sqlite } from '#dist/store/driver.js';

/** Reads or changes the database of a daemon that does not run. */
export function withState<T>(directory: string, task: (db: Database) => T): T {
  const db = new Sqlite(join(directory, 'sallyport.db'), { fileMustExist: true });
  try {
    return task(db);
  } finally {
    db.close();
  }
}

export interface FillOptions {
  readonly count: number;
  readonly ttlMs: number;
  readonly services: readonly string[];
  readonly overMs?: number;
  readonly ipv6?: number;
  readonly users?: readonly string[];
}

/** Puts grants into the state of a daemon that does not run (scripts/bench/fill-grants.mjs). */
export async function fillGrants(directory: string, options: FillOptions): Promise<void> {
  const url = new URL('../../../scripts/bench/fill-grants.mjs', import.meta.url).href;
  const filler = (await import(url)) as { fillGrants(directory: string, options: FillOptions): Promise<void> };
  await filler.fillGrants(directory, options);
}
