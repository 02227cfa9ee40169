/** Requests that the kernel answers at once, over a socket that nobody else uses meanwhile. */
import { EBADMSG, NetlinkError } from './errors.js';
import { decodeGeneration, encodeGenerationRequest, NFT_MSG_NEWGEN } from './generation.js';
import { decodeErrno, NLMSG_ERROR } from './message.js';
import type { NetlinkSocket } from './socket.js';

/** What the kernel answers where it refuses a batch; which of its messages, where it blames one. */
export interface Refusal {
  readonly errno: number;
  readonly sequence?: number;
}

/**
 * Runs a batch. The first error counts; without one, the acknowledgement of the last message says that all is done.
 * @param last the sequence number of that message
 * @returns undefined where all is done
 * @throws NetlinkError
 */
export function commit(socket: NetlinkSocket, bytes: Uint8Array, last: number): Refusal | undefined {
  let acknowledged = false;
  let refusal: Refusal | undefined;
  for (const { type, sequence, body } of socket.request(bytes)) {
    const errno = type === NLMSG_ERROR ? decodeErrno(body) : undefined;
    if (errno === 0) acknowledged ||= sequence === last;
    else if (errno !== undefined) refusal ??= { errno, sequence };
  }
  if (refusal === undefined && !acknowledged) return { errno: EBADMSG };
  return refusal;
}

/** The number of the last transaction. @throws NetlinkError */
export function readGeneration(socket: NetlinkSocket): number {
  let generation: number | undefined;
  for (const { type, body } of socket.request(encodeGenerationRequest())) {
    const errno = type === NLMSG_ERROR ? decodeErrno(body) : 0;
    if (errno !== 0) throw new NetlinkError(errno ?? EBADMSG, 'reading the generation');
    if (type === NFT_MSG_NEWGEN) generation = decodeGeneration(body);
  }
  if (generation === undefined) throw new NetlinkError(EBADMSG, 'reading the generation');
  return generation;
}
