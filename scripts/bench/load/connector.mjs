/*
 * Runs in the machine that connects: how long a new connection takes, by blocking system calls. One JSON object a line on
 * standard input, `{targets: [{target, sources: [...]}], tcp, udp, times}`, is so many of each kind to the two ports of
 * each target, by turns, so that what the host does meets them all; from the sources by turns. The line that answers is
 * `{"done": true, "found": [{"tcp": [...], "udp": [...]}]}` in microseconds, null for one that was not let in. TCP is the time of connect(2): SYN there, SYN-ACK back. UDP is a datagram from a port never
 * used, there and back.
 */
import { createInterface } from 'node:readline';
import koffi from 'koffi';
import { toNumber } from './datagrams.mjs';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SOCKADDR_IN_SIZE = 16;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
const setsockopt = libc.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)');
const send = libc.func('int64_t send(int fd, const void *bytes, size_t length, int flags)');
const recv = libc.func('int64_t recv(int fd, void *buffer, size_t length, int flags)');
const close = libc.func('int close(int fd)');

/** struct timeval: half a second. */
const BOUND = new BigInt64Array([0n, 500_000n]);
/** struct linger: closing resets the connection, so that nothing of it is left. */
const RESET = new Int32Array([1, 0]);
const bytes = new Uint8Array(8);

for await (const line of createInterface({ input: process.stdin })) {
  const { targets, tcp, udp, times } = JSON.parse(line);
  const found = targets.map(() => ({ tcp: [], udp: [] }));
  const order = [...targets.keys()];
  for (let n = 0; n < times; n++) {
    for (const index of n % 2 === 0 ? order : order.toReversed()) {
      const { target, sources } = targets[index];
      const source = sources[n % sources.length];
      found[index].tcp.push(timed(SOCK_STREAM, source, target, tcp));
      found[index].udp.push(timed(SOCK_DGRAM, source, target, udp));
    }
  }
  process.stdout.write(`${JSON.stringify({ done: true, found })}\n`);
}

function timed(type, source, target, port) {
  const fd = socket(AF_INET, type, 0);
  try {
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) setsockopt(fd, SOL_SOCKET, option, BOUND, 16);
    if (type === SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET, 8);
    if (fd < 0 || bind(fd, endpoint(source, 0), SOCKADDR_IN_SIZE) < 0) throw new Error(`no socket at ${source}`);
    const to = endpoint(target, port);
    const from = process.hrtime.bigint();
    let isOpen = connect(fd, to, SOCKADDR_IN_SIZE) === 0;
    if (type === SOCK_DGRAM) isOpen = send(fd, bytes, bytes.length, 0) > 0 && recv(fd, bytes, bytes.length, 0) > 0;
    return isOpen ? Number(process.hrtime.bigint() - from) / 1000 : null;
  } finally {
    close(fd);
  }
}

/** struct sockaddr_in: family, port and address in network order, padding. */
function endpoint(address, port) {
  const view = new DataView(new ArrayBuffer(SOCKADDR_IN_SIZE));
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, toNumber(address));
  return new Uint8Array(view.buffer);
}
