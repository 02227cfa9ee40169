import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The files of a state directory. SQLite puts its `-wal` and `-shm` beside the database. */
export interface StateFiles {
  readonly directory: string;
  readonly database: string;
  readonly lock: string;
  /** The number of the process that holds the lock: for people; it decides nothing. */
  readonly pid: string;
}

export function stateFiles(directory: string): StateFiles {
  return {
    directory,
    database: join(directory, 'sallyport.db'),
    lock: join(directory, 'daemon.lock'),
    pid: join(directory, 'daemon.pid'),
  };
}

/** Makes the directory, for its owner alone, where there is none. */
export function makeDirectory(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (first !== undefined) syncDirectory(dirname(first));
}

/** A name made or changed in a directory outlives a power failure only after this. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The size of a file in bytes; undefined where there is none. */
export function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}
