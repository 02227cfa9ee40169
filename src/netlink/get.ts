/** Single elements of a set, by their keys: no walk through the set, so none is lost while others expire. */
import { EBADMSG, ENOENT, NetlinkError } from './errors.js';
import { decodeErrno, decodeMessages, NLMSG_ERROR } from './message.js';
import { monotonicNow, type Piece, type Reading } from './passes.js';
import type { NetlinkSocket } from './socket.js';

/**
 * Carries out what `encodeGetRequest` made; some thousand keys at most, since all answers wait in the socket.
 * @returns the elements that are there
 * @throws NetlinkError for anything but an element, or a set, that is not there
 */
export function getElements(socket: NetlinkSocket, request: Uint8Array): Reading {
  const pieces: Piece[] = [];
  let failure: NetlinkError | undefined;
  socket.send(request);
  for (let datagram = socket.receive(); datagram !== undefined; datagram = socket.receive()) {
    // Each element is answered by a datagram of its own.
    const [message] = decodeMessages(datagram);
    if (message?.type !== NLMSG_ERROR) pieces.push({ bytes: new Uint8Array(datagram), at: monotonicNow() });
    else {
      const errno = decodeErrno(message.body);
      // Whatever waits is read all the same: left there, it would pass for the answer to the next request.
      if (errno !== ENOENT) failure ??= new NetlinkError(errno ?? EBADMSG, 'reading elements');
    }
  }
  if (failure !== undefined) throw failure;
  return { passes: [{ pieces: [joined(pieces)] }], at: monotonicNow() };
}

/** One buffer goes over to another thread at a fraction of the cost of a thousand. */
function joined(pieces: readonly Piece[]): Piece {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.bytes.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece.bytes, offset);
    offset += piece.bytes.length;
  }
  return { bytes, at: pieces[0]?.at ?? monotonicNow() };
}
