import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { StateFiles } from './directory.js';
import { type Database, Sqlite } from './driver.js';
import { StoreFault } from './faults.js';

/**
 * One daemon per state. The lock is SQLite's exclusive lock on a file of its own, so the kernel drops it however the
 * process ends, and the database itself stays open to readers.
 *
 * Such a lock (fcntl, POSIX) falls as soon as its process closes any handle on the file: nothing else in this program may
 * open `daemon.lock`. That is why the number of the holder lies in another file.
 */
export class StateLock {
  readonly #db: Database;
  readonly #files: StateFiles;

  private constructor(db: Database, files: StateFiles) {
    this.#db = db;
    this.#files = files;
  }

  /** @throws StoreFault SP_STATE_LOCKED, with the process that holds it */
  static take(files: StateFiles): StateLock {
    const db = new Sqlite(files.lock, { timeout: 0 });
    try {
      db.pragma('journal_mode = MEMORY');
      db.exec('BEGIN EXCLUSIVE');
      chmodSync(files.lock, 0o600);
      writeFileSync(`${files.pid}.new`, `${process.pid}\n`, { mode: 0o600 });
      renameSync(`${files.pid}.new`, files.pid);
    } catch (error) {
      db.close();
      if (!(error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY'))) throw error;
      throw new StoreFault('SP_STATE_LOCKED', { directory: files.directory, holder: holder(files) });
    }
    return new StateLock(db, files);
  }

  release(): void {
    rmSync(this.#files.pid, { force: true });
    this.#db.close();
  }
}

/** Between the lock and its number lies a moment in which the file names a process that is gone, or nothing. */
function holder(files: StateFiles): string {
  try {
    const pid = Number(readFileSync(files.pid, 'utf8'));
    if (Number.isInteger(pid) && pid > 0 && isAlive(pid)) return `process ${pid}`;
  } catch {}
  return 'another process';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
