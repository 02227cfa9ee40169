import { chmodSync, closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { type StateFiles, sizeOf, syncDirectory } from './directory.js';
import { type Database, Sqlite } from './driver.js';
import { StoreFault } from './faults.js';
import { MIGRATIONS, migrate, schemaVersion } from './schema.js';

/** Databases below this size are checked from end to end when opened; at 64 MB that takes about 0.3 s. */
export const CHECKED_BELOW = 64 * 1024 * 1024;

/** How long a statement waits for another program (a `sqlite3` shell, say) that holds the database. */
const BUSY_MS = 5000;

/** What the WAL file is cut back to after a burst. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;

/**
 * Opens the database for the one writer, made where there is none, checked, and brought to the newest schema.
 * The caller holds the lock of the state.
 * @throws StoreFault SP_STORE_DAMAGED, SP_STORE_NEWER, or what SQLite met
 */
export function openForWriting(files: StateFiles, checkedBelow = CHECKED_BELOW): Database {
  if (sizeOf(files.database) === undefined) createDatabase(files);
  tighten(files.database);
  const db = new Sqlite(files.database, { fileMustExist: true, timeout: BUSY_MS });
  return orClose(db, () => {
    harden(db);
    checkIntact(db, files, checkedBelow);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    // Checkpoints are the writer's, after it has answered: see StateWriter.
    db.pragma('wal_autocheckpoint = 0');
    db.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
    migrate(db, files.database);
    carryOver(db);
    return db;
  });
}

/**
 * Empties the log that a crash left behind: daemons that never live long enough for a checkpoint would let it grow until
 * the disk is full. Where it cannot be done (the disk is full) the log goes on as it is.
 */
function carryOver(db: Database): void {
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch {}
}

/**
 * Opens the database to read beside whoever writes. Where there is none it reads as empty. A database of an older version
 * is read through a copy in memory.
 * @throws StoreFault SP_STORE_DAMAGED, SP_STORE_NEWER, or what SQLite met
 */
export function openForReading(files: StateFiles, checkedBelow = CHECKED_BELOW): Database {
  if (sizeOf(files.database) === undefined) {
    const empty = new Sqlite(':memory:');
    migrate(empty, files.database);
    return empty;
  }
  const db = new Sqlite(files.database, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  return orClose(db, () => {
    harden(db);
    checkIntact(db, files, checkedBelow);
    return schemaVersion(db) === MIGRATIONS.length ? db : migratedCopy(db, files);
  });
}

/** A second connection for reading beside a writer of the same process, which has checked the database already. */
export function openBeside(files: StateFiles): Database {
  const db = new Sqlite(files.database, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  harden(db);
  return db;
}

/**
 * The new database appears under its name only when it is complete. So an empty file of that name is damage, never a
 * beginning, and whoever lost everything to a truncated file is told.
 */
function createDatabase(files: StateFiles): void {
  const fresh = `${files.database}.new`;
  for (const stale of [fresh, `${fresh}-journal`, `${files.database}-wal`, `${files.database}-shm`]) {
    rmSync(stale, { force: true });
  }
  closeSync(openSync(fresh, 'wx', 0o600));
  const db = new Sqlite(fresh);
  try {
    migrate(db, fresh);
  } finally {
    db.close();
  }
  renameSync(fresh, files.database);
  syncDirectory(files.directory);
}

/** It holds secrets; the `-wal` and `-shm` files take over its mode. */
function tighten(file: string): void {
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
}

function checkIntact(db: Database, files: StateFiles, checkedBelow: number): void {
  const damaged = (problem: string) => new StoreFault('SP_STORE_DAMAGED', { file: files.database, problem });
  if (schemaVersion(db) === 0) throw damaged('it is empty, or another program made it');
  if ((sizeOf(files.database) ?? 0) >= checkedBelow) return;
  const verdict = String(db.pragma('quick_check(1)', { simple: true }));
  if (verdict !== 'ok') throw damaged(verdict.replace(/^\*\*\*.*\*\*\*\s*/, ''));
}

/** The driver's default is 16 MB a connection, which reading all grants once fills for good; the system caches the file, too. */
const CACHE_KIB = 2000;

function harden(db: Database): void {
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma('cell_size_check = ON');
  db.pragma('trusted_schema = OFF');
  db.pragma('temp_store = MEMORY');
}

/** A database in memory cannot be in WAL mode: bytes 18 and 19 of the header say so (https://sqlite.org/fileformat2.html). */
function migratedCopy(db: Database, files: StateFiles): Database {
  const image = db.serialize();
  image.fill(1, 18, 20);
  const copy = new Sqlite(image);
  return orClose(copy, () => {
    migrate(copy, files.database);
    db.close();
    return copy;
  });
}

/** Sets a connection up; gives it, or what `prepare` puts in its place; closes it where that fails. */
function orClose(db: Database, prepare: (db: Database) => Database): Database {
  try {
    return prepare(db);
  } catch (error) {
    db.close();
    throw error;
  }
}
