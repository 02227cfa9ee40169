import { accessSync, constants } from 'node:fs';
import { type ErrorCode, SallyportError } from '../core/errors.js';
import { BadRow } from './columns.js';
import type { StateFiles } from './directory.js';

/** A coded error as it crosses from the worker: an Error would lose its class on the way. */
export interface Fault {
  readonly code: StoreCode;
  readonly details: Readonly<Record<string, string | number>>;
  /** What lay behind it, for the log. */
  readonly cause: string;
}

export type StoreCode = Extract<ErrorCode, `SP_STORE_${string}` | `SP_STATE_${string}`>;

/** Thrown inside the worker where the code is known already. */
export class StoreFault extends Error {
  readonly code: StoreCode;
  readonly details: Fault['details'];

  constructor(code: StoreCode, details: Fault['details']) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

export function toError(fault: Fault): SallyportError {
  return new SallyportError(fault.code, fault.details, fault.cause);
}

/** The store no longer works, or does not answer. */
export function failed(problem: string, cause?: unknown): SallyportError {
  return new SallyportError('SP_STORE_FAILED', { problem }, cause);
}

/**
 * True where the change itself was at fault, so that others of the same commit need not suffer. A full disk, a device
 * that fails and a damaged file concern all of them.
 */
export function isCallersFault(error: unknown): boolean {
  if (isMalformed(error)) return true;
  if (error instanceof StoreFault) return error.code === 'SP_STORE_REFUSED';
  return /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(codeOf(error));
}

/** A change that breaks its type: a decoder, the language or the binding of values took offence at it. */
function isMalformed(error: unknown): boolean {
  return error instanceof BadRow || error instanceof TypeError || error instanceof RangeError;
}

/** What a write met, as a coded error. */
export function writeFault(error: unknown, files: StateFiles): Fault {
  if (isMalformed(error)) return fault('SP_STORE_REFUSED', { problem: messageOf(error) }, error);
  return toFault(error, files);
}

/** What was met while opening or reading, as a coded error. Names of result codes: https://sqlite.org/rescode.html */
export function toFault(error: unknown, files: StateFiles): Fault {
  if (error instanceof StoreFault) return fault(error.code, error.details, error);
  if (error instanceof BadRow) return damaged(error.message, error, files);
  const code = isNoDirectory(error) ? 'ENOENT' : codeOf(error);
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'ENOSPC' || code === 'EDQUOT') {
    return fault('SP_STORE_FULL', { directory: files.directory }, error);
  }
  if (/^SQLITE_(READONLY|CANTOPEN|PERM)|^(EACCES|EPERM|EROFS|ENOTDIR|EEXIST|EISDIR|ENOENT)$/.test(code)) {
    const problem = PROBLEMS[whyUnusable(files.directory) ?? code] ?? messageOf(error);
    return fault('SP_STATE_UNWRITABLE', { directory: files.directory, problem }, error);
  }
  const problem = PROBLEMS[code] ?? messageOf(error);
  if (/^SQLITE_(CORRUPT|NOTADB|ERROR|FORMAT)/.test(code)) return damaged(problem, error, files);
  if (code.startsWith('SQLITE_CONSTRAINT')) return fault('SP_STORE_REFUSED', { problem: constraint(error) }, error);
  return fault('SP_STORE_FAILED', { problem }, error);
}

/** better-sqlite3 looks for the directory itself, and says so without a code. */
function isNoDirectory(error: unknown): boolean {
  return error instanceof TypeError && error.message.includes('directory does not exist');
}

/** SQLite says only that it cannot open a file; the system knows why. */
function whyUnusable(directory: string): string | undefined {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'it belongs to another user',
  EPERM: 'the system does not permit it',
  ENOENT: 'it does not exist',
  EROFS: 'its file system is read-only',
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'there is a file of that name',
  SQLITE_READONLY: 'the database may only be read',
  SQLITE_CANTOPEN: 'the database cannot be opened',
  SQLITE_BUSY: 'another program holds the database',
  SQLITE_CORRUPT: 'its pages do not fit together',
  SQLITE_NOTADB: 'it is not a database',
};

function damaged(problem: string, error: unknown, files: StateFiles): Fault {
  return fault('SP_STORE_DAMAGED', { file: files.database, problem }, error);
}

function fault(code: StoreCode, details: Fault['details'], error: unknown): Fault {
  return { code, details, cause: `${codeOf(error)} ${messageOf(error)}`.trim() };
}

function constraint(error: unknown): string {
  const message = messageOf(error);
  const unique = /^UNIQUE constraint failed: (\w+)\.(\w+)/.exec(message);
  return unique ? `another of the ${unique[1]} has the same ${unique[2]}` : message;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
