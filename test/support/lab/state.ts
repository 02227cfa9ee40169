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
