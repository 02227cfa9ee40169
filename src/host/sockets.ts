import type { Address } from '../core/address.js';
import type { Protocol } from '../core/ports.js';
import type { Host } from './host.js';
import { addressOfBytes } from './inet.js';
import { readText } from './proc.js';

interface Endpoint {
  readonly address: Address;
  /** 0 where there is no other end. */
  readonly port: number;
}

export interface Socket {
  readonly protocol: Protocol;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly inode: string;
}

type SocketState = 'established' | 'listening' | 'unconnected';

/** Numbers of the kernel's TCP states (include/net/tcp_states.h); an unconnected UDP socket is shown as closed. */
const STATE_CODE: Readonly<Record<SocketState, string>> = { established: '01', unconnected: '07', listening: '0A' };

/**
 * The sockets of one protocol and state, of both families, in the network namespace of a process (`self` for our own).
 * Undefined where neither table can be read.
 */
export async function socketsOf(
  host: Host,
  pid: number | 'self',
  protocol: Protocol,
  state: SocketState,
): Promise<readonly Socket[] | undefined> {
  const texts = await Promise.all(['', '6'].map((suffix) => readText(host, `${pid}/net/${protocol}${suffix}`)));
  const readable = texts.filter((text) => text !== undefined);
  if (readable.length === 0) return undefined;
  return readable.flatMap((text) => parseSocketTable(text, protocol, state, host.byteOrder));
}

/**
 * Reads a table of /proc/net (proc_net_tcp in the kernel's documentation):
 *
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode …
 *    0: 0200000A:0016 0700710A:C350 01 00000000:00000000 00:00000000 00000000     0        0 1223  …
 *
 * Only rows of the wanted state are decoded: the tables of a busy host are long.
 */
export function parseSocketTable(
  text: string,
  protocol: Protocol,
  state: SocketState,
  byteOrder: 'LE' | 'BE',
): readonly Socket[] {
  const sockets: Socket[] = [];
  for (const line of text.split('\n')) {
    const [, local, remote, code, , , , , , inode] = line.trim().split(/\s+/, 10);
    if (code !== STATE_CODE[state] || local === undefined || remote === undefined || inode === undefined) continue;
    const [here, there] = [parseEndpoint(local, byteOrder), parseEndpoint(remote, byteOrder)];
    if (here !== undefined && there !== undefined) sockets.push({ protocol, local: here, remote: there, inode });
  }
  return sockets;
}

/** `0100007F:0016`: words of 32 bits in the byte order of the machine, then the port as a number. */
function parseEndpoint(text: string, byteOrder: 'LE' | 'BE'): Endpoint | undefined {
  const match = /^((?:[0-9A-Fa-f]{8}){1,4}):([0-9A-Fa-f]{4})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const bytes = Buffer.from(match[1], 'hex');
  const address = addressOfBytes(byteOrder === 'LE' ? bytes.swap32() : bytes);
  return address === undefined ? undefined : { address, port: Number.parseInt(match[2], 16) };
}
