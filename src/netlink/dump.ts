/**
 * Reading a whole set. The kernel gives it in pieces of 32 KiB, some 300 elements, and finds its place again by counting:
 * for each piece it walks the set from the start. So two things can come in between:
 *
 * - A transaction, anyone's. The generation in the messages then changes (the kernel sets no NLM_F_DUMP_INTR here).
 * - The collection of expired elements, once a second, or the growth of the hash table. The count is then off, elements
 *   that live are left out, thousands perhaps, and nothing tells. Reading again and putting the passes together does.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { elementId, encodeDumpRequest } from './elements.js';
import { EAGAIN, EBADMSG, EINTR, NetlinkError } from './errors.js';
import { decodeGenerationMark } from './generation.js';
import type { Libc } from './libc.js';
import { decodeErrno, decodeMessages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from './message.js';
import { decodePiece, monotonicNow, type Pass, type Piece, type Reading } from './passes.js';
import { NetlinkSocket } from './socket.js';

interface OnePass {
  readonly pieces: readonly Piece[];
  readonly generation: number | undefined;
}

const ATTEMPTS = 10;
/** So often a dump lets the transactions of its thread go first; each of them starts it anew. */
const PATIENT_ATTEMPTS = 3;
/** What the packet path goes on adding is no reason to read for ever. */
const PASSES = 5;

/**
 * Reads a set, in several passes if it takes more than one piece, until a pass brings nothing new.
 * @throws NetlinkError ENOENT where there is no such set, EINTR where transactions kept coming in between
 */
export async function dump(libc: Libc, table: string, set: string): Promise<Reading> {
  const request = encodeDumpRequest(table, set);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const passes = await readPasses(libc, request, attempt < PATIENT_ATTEMPTS);
    if (passes !== undefined) return { passes, at: monotonicNow() };
    await breathe();
  }
  throw new NetlinkError(EINTR, `dumping ${set}`);
}

/** @returns undefined where a transaction came in between */
async function readPasses(libc: Libc, request: Uint8Array, patient: boolean): Promise<Pass[] | undefined> {
  const passes: OnePass[] = [];
  const seen = new Set<string>();
  for (let news = true; news && passes.length < PASSES; ) {
    const pass = await readOnce(libc, request, patient);
    if (pass === undefined || pass.generation !== (passes[0] ?? pass).generation) return undefined;
    passes.push(pass);
    const before = seen.size;
    let filled = 0;
    for (const piece of pass.pieces) {
      const elements = decodePiece(piece.bytes);
      if (elements.length > 0) filled++;
      for (const element of elements) seen.add(elementId(element));
      if (patient) await breathe();
    }
    // One piece is one walk, and needs no other.
    news = filled > 1 && seen.size > before;
  }
  return passes.map(({ pieces }) => ({ pieces }));
}

/**
 * Reads a set once and gives each piece at once, whatever comes in between: elements may be left out, or come twice.
 * @throws NetlinkError ENOENT where there is no such set
 */
export async function scan(libc: Libc, table: string, set: string, give: (piece: Piece) => void): Promise<void> {
  for await (const datagram of receiveDump(libc, encodeDumpRequest(table, set), true)) {
    give({ bytes: new Uint8Array(datagram), at: monotonicNow() });
  }
}

/** Reads a set once. @returns undefined where a transaction came in between */
async function readOnce(libc: Libc, request: Uint8Array, patient: boolean): Promise<OnePass | undefined> {
  const pieces: Piece[] = [];
  let generation: number | undefined;
  for await (const datagram of receiveDump(libc, request, patient)) {
    for (const { type, flags, body } of decodeMessages(datagram)) {
      if (isLastWord(type)) break;
      generation ??= decodeGenerationMark(body);
      if ((flags & NLM_F_DUMP_INTR) !== 0 || decodeGenerationMark(body) !== generation) return undefined;
    }
    pieces.push({ bytes: new Uint8Array(datagram), at: monotonicNow() });
  }
  return { pieces, generation };
}

function isLastWord(type: number): boolean {
  return type === NLMSG_DONE || type === NLMSG_ERROR;
}

/** What a dump answers, by a socket of its own. Each datagram holds until the next is asked for. */
async function* receiveDump(libc: Libc, request: Uint8Array, patient: boolean): AsyncGenerator<Uint8Array> {
  const socket = NetlinkSocket.open(libc);
  try {
    socket.send(request);
    for (;;) {
      const datagram = socket.receive();
      if (datagram === undefined) throw new NetlinkError(EAGAIN, 'a dump without an end');
      const last = decodeMessages(datagram).find(({ type }) => isLastWord(type));
      const errno = last === undefined ? 0 : decodeErrno(last.body);
      if (errno !== 0) throw new NetlinkError(errno ?? EBADMSG, 'dumping a set');
      // The last word may come by itself, or after elements.
      yield datagram;
      if (last !== undefined) return;
      if (patient) await breathe();
    }
  } finally {
    socket.close();
  }
}
