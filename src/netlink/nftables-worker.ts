/** The thread that writes: a commit waits in the kernel while another program's transaction holds the commit mutex. */
import { parentPort } from 'node:worker_threads';
import { dump, scan } from './dump.js';
import { EBADMSG, type Failure, NetlinkError, unavailable } from './errors.js';
import { getElements } from './get.js';
import { type Libc, loadLibc } from './libc.js';
import type { Piece, Reading } from './passes.js';
import { commit, readGeneration } from './requests.js';
import { NetlinkSocket } from './socket.js';

export type Request =
  | { readonly kind: 'transact'; readonly id: number; readonly bytes: Uint8Array; readonly last: number }
  | { readonly kind: 'generation'; readonly id: number }
  | { readonly kind: 'dump' | 'scan'; readonly id: number; readonly table: string; readonly set: string }
  | { readonly kind: 'get'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'ready'; readonly portId: number }
  | { readonly kind: 'unavailable'; readonly failure: Failure }
  | { readonly kind: 'piece'; readonly id: number; readonly piece: Piece }
  | { readonly kind: 'done'; readonly id: number; readonly value?: number | Reading }
  | { readonly kind: 'refused'; readonly id: number; readonly errno: number; readonly sequence?: number };

/** Answers to a batch with very many refused messages are the most that waits here. */
const RECEIVE_BUFFER = 8 << 20;

/** After so many milliseconds without a reading the memory that it took is given back. */
const TRIM_AFTER_MS = 500;

const port = parentPort;
if (port === null) throw new Error('this module runs on a worker thread');

const reply = (message: Reply, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

try {
  const libc = await loadLibc();
  const socket = NetlinkSocket.open(libc, { receiveBuffer: RECEIVE_BUFFER });
  try {
    readGeneration(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
  port.on('message', (request: Request) => {
    if (request.kind === 'close') {
      socket.close();
      port.close();
    } else {
      void answer(libc, socket, request);
    }
  });
  reply({ kind: 'ready', portId: socket.portId });
} catch (error) {
  reply({ kind: 'unavailable', failure: unavailable(error) });
  port.close();
}

async function answer(libc: Libc, socket: NetlinkSocket, request: Exclude<Request, { kind: 'close' }>): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === 'transact') {
      const refusal = commit(socket, request.bytes, request.last);
      reply(refusal === undefined ? { kind: 'done', id } : { kind: 'refused', id, ...refusal });
    } else if (request.kind === 'generation') {
      reply({ kind: 'done', id, value: readGeneration(socket) });
    } else if (request.kind === 'scan') {
      await scan(libc, request.table, request.set, (piece) =>
        reply({ kind: 'piece', id, piece }, [piece.bytes.buffer]),
      );
      reply({ kind: 'done', id });
    } else {
      const isGet = request.kind === 'get';
      const value = isGet ? getElements(socket, request.bytes) : await dump(libc, request.table, request.set);
      reply(
        { kind: 'done', id, value },
        value.passes.flatMap(({ pieces }) => pieces.map(({ bytes }) => bytes.buffer)),
      );
    }
    if (request.kind !== 'transact' && request.kind !== 'generation') trimSoon(libc);
  } catch (error) {
    reply({ kind: 'refused', id, errno: error instanceof NetlinkError ? error.errno : EBADMSG });
  }
}

let trimming: NodeJS.Timeout | undefined;

function trimSoon(libc: Libc): void {
  clearTimeout(trimming);
  trimming = setTimeout(() => libc.trim(), TRIM_AFTER_MS).unref();
}
