import type { Address } from '../core/address.js';
import { plain } from './host.js';
import { addressOfBytes, readAddress } from './inet.js';

/** A session that a login program has recorded. */
interface LoginRecord {
  readonly pid: number;
  readonly user: string;
  /** What the record's address may mean, the likeliest first: `2001:db8::` has the same bytes as 32.1.13.184. */
  readonly addresses: readonly Address[];
}

const USER_PROCESS = 7;

/** Where things stand in a record; `ut_addr_v6` moves with the width of the time before it. */
const OFFSET = { type: 0, pid: 4, user: 44, host: 76 } as const;
const WIDTH = { user: 32, host: 256, address: 16 } as const;
const NARROW_TIME = { size: 384, address: 348 } as const;
const WIDE_TIME = { size: 400, address: 360 } as const;

/**
 * Reads the sessions in the bytes of /var/run/utmp. `struct utmp` of glibc (bits/utmp.h):
 *
 *    0 type  2 pad  4 pid  8 line[32]  40 id[4]  44 user[32]  76 host[256]  332 exit
 *      x86, 32-bit:  336 session  340 time (8)    348 addr[16]  364 unused[20]           384
 *      aarch64:      336 session  344 time (16)   360 addr[16]  376 unused[20]  pad[4]   400
 *
 * A file that is a whole number of records of neither size holds none.
 */
export function parseUtmp(bytes: Uint8Array, byteOrder: 'LE' | 'BE'): readonly LoginRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = byteOrder === 'LE';
  // A length may fit both sizes (every 9600 bytes); only the true one finds a type wherever a record would begin.
  const [layout] = [NARROW_TIME, WIDE_TIME]
    .filter(({ size }) => bytes.length % size === 0)
    .sort((a, b) => typesFound(view, b.size, little) - typesFound(view, a.size, little));
  if (layout === undefined) return [];
  const records: LoginRecord[] = [];
  for (let start = 0; start < bytes.length; start += layout.size) {
    if (view.getInt16(start + OFFSET.type, little) !== USER_PROCESS) continue;
    const host = textAt(bytes, start + OFFSET.host, WIDTH.host);
    const address = bytes.subarray(start + layout.address, start + layout.address + WIDTH.address);
    records.push({
      pid: view.getInt32(start + OFFSET.pid, little),
      user: plain(textAt(bytes, start + OFFSET.user, WIDTH.user)),
      addresses: readings(address, readAddress(host)),
    });
  }
  return records;
}

function readings(bytes: Uint8Array, host: Address | undefined): readonly Address[] {
  const zeroFrom = (index: number) => bytes.subarray(index).every((byte) => byte === 0);
  if (zeroFrom(0)) return host === undefined ? [] : [host];
  const possible = zeroFrom(4)
    ? [addressOfBytes(bytes.subarray(0, 4)), addressOfBytes(bytes)]
    : [addressOfBytes(bytes)];
  const known = possible.filter((address) => address !== undefined);
  return known.sort((a, b) => Number(b === host) - Number(a === host));
}

/** How many records begin with a type from RUN_LVL 1 to ACCOUNTING 9; -1 where one begins with something else than a type. */
function typesFound(view: DataView, size: number, little: boolean): number {
  let found = 0;
  for (let start = 0; start < view.byteLength; start += size) {
    const type = view.getInt16(start + OFFSET.type, little);
    if (type < 0 || type > 9) return -1;
    if (type > 0) found++;
  }
  return found;
}

function textAt(bytes: Uint8Array, start: number, width: number): string {
  const field = bytes.subarray(start, start + width);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}
