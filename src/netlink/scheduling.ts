import type { Libc } from './libc.js';
import { HOST_LITTLE_ENDIAN } from './message.js';

/** The numbers of sched_setattr(2) and sched_getattr(2): the C library has names for them only from glibc 2.41 on. */
const CALLS: Partial<Record<string, { readonly set: number; readonly get: number }>> = {
  x64: { set: 314, get: 315 },
  arm64: { set: 274, get: 275 },
  riscv64: { set: 274, get: 275 },
  loong64: { set: 274, get: 275 },
};

/*
 * struct sched_attr (linux/sched/types.h), in the host's byte order:
 *
 *   0      4        8        16     20         24        32         40       48
 *   +------+--------+--------+------+----------+---------+----------+--------+
 *   | size | policy | flags  | nice | priority | runtime | deadline | period |
 *   +------+--------+--------+------+----------+---------+----------+--------+
 */
const ATTR_SIZE = 48;
const POLICY = 4;
const RUNTIME = 24;
const SCHED_OTHER = 0;
const CALLING_THREAD = 0;

/**
 * Asks for time slices of so many nanoseconds, 100,000 at least, for the calling thread, which stays as important as it was:
 * whoever asks for less at a time may go ahead of one that runs with a longer slice, instead of waiting for its end or the next
 * tick. It takes no privilege. Kernels before 6.12 take no notice; where it is refused, the thread goes on as it was.
 * @returns whether the kernel took it
 */
export function askForSlice(libc: Libc, nanoseconds: number): boolean {
  const calls = CALLS[process.arch];
  if (calls === undefined) return false;
  const bytes = new Uint8Array(ATTR_SIZE);
  if (libc.syscall(calls.get, CALLING_THREAD, bytes, ATTR_SIZE, 0) < 0) return false;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(POLICY, HOST_LITTLE_ENDIAN) !== SCHED_OTHER) return false;
  view.setBigUint64(RUNTIME, BigInt(nanoseconds), HOST_LITTLE_ENDIAN);
  return libc.syscall(calls.set, CALLING_THREAD, bytes, 0, 0) === 0;
}
