/** Single elements of a set, by their keys: no walk through the set, so none is lost while others expire. */
import { EBADMSG, ENOENT, NetlinkError } from './errors.js';
import { decodeErrno, decodeMessages, NLMSG_ERROR } from './message.js';
import { monotonicNow, type Reading } from './passes.js';
import type { NetlinkSocket } from './socket.js';

/** Room for the answers to some hundred keys. */
const ROOM = 1 << 16;

/**
 * Carries out what `encodeGetRequest` made; some thousand keys at most, since all answers wait in the socket.
 * @returns the elements that are there
 * @throws NetlinkError for anything but an element, or a set, that is not there
 */
export function getElements(socket: NetlinkSocket, request: Uint8Array): Reading {
  const found = new Gathered();
  let failure: NetlinkError | undefined;
  socket.send(request);
  const at = monotonicNow();
  for (let datagram = socket.receive(); datagram !== undefined; datagram = socket.receive()) {
    // Each element is answered by a datagram of its own.
    const [message] = decodeMessages(datagram);
    if (message?.type !== NLMSG_ERROR) found.add(datagram);
    else {
      const errno = decodeErrno(message.body);
      // Whatever waits is read all the same: left there, it would pass for the answer to the next request.
      if (errno !== ENOENT) failure ??= new NetlinkError(errno ?? EBADMSG, 'reading elements');
    }
  }
  if (failure !== undefined) throw failure;
  return { passes: [{ pieces: [{ bytes: found.bytes(), at }] }], at: monotonicNow() };
}

/** Many short pieces, one after another: one buffer goes over to another thread at a fraction of the cost of a thousand. */
class Gathered {
  #buffer = new Uint8Array(ROOM);
  #length = 0;

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }
}
