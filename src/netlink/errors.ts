import { getSystemErrorName } from 'node:util';
import { SallyportError } from '../core/errors.js';

/** What the kernel answered. errno is positive, as in errno.h: 2 is ENOENT. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly errno: number;
  /** Which operation of a transaction was refused, from 0; absent where the kernel blames none. */
  readonly operationIndex?: number;

  /** @param what what was being done, for the log: "send", "set all4" */
  constructor(errno: number, what: string, operationIndex?: number) {
    super(`${getSystemErrorName(-Math.max(1, errno))}: ${what}`);
    this.errno = errno;
    if (operationIndex !== undefined) this.operationIndex = operationIndex;
  }
}

/** errno.h, asm-generic: what this folder tells apart. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const EBUSY = 16;
export const EBADMSG = 74;
const ENOBUFS = 105;

/** Something that the kernel had for us is gone; what follows can still be read. */
export function isLoss(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && (error.errno === ENOBUFS || error.errno === EBADMSG);
}

/** Something thrown on a worker thread, as it crosses to the main thread. */
export interface Failure {
  readonly code: 'SP_NETLINK_UNAVAILABLE' | 'SP_NFLOG_BUSY';
  readonly details: Readonly<Record<string, string | number>>;
}

export function unavailable(thrown: unknown): Failure {
  const problem = thrown instanceof Error ? thrown.message.split('\n', 1)[0] : undefined;
  return { code: 'SP_NETLINK_UNAVAILABLE', details: { problem: problem ?? String(thrown) } };
}

export function toError(failure: Failure): SallyportError {
  return new SallyportError(failure.code, failure.details);
}

/** Whether the kernel has no such set, or no such element of it. */
export function isMissing(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === ENOENT;
}
