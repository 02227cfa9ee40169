/*
 * Runs in the machine of who is to be let in. Sends a knock, if there is one to send, and then asks a guarded UDP port, in a tight loop of system calls, whether
 * it is open yet. One JSON object a line on standard input is one round; one line on standard output is what came of it.
 *
 *   time  ->   A    B    C p p p p p p p p      C: the last knock; p: a probe, numbered
 *                                  ^ the first that was echoed: its sending is the moment at which the port was open
 *
 * The echo's own way does not count: only the number in it does. Between two probes it sleeps for some 25 µs: spinning
 * would hold one of perhaps two processors against the very programs that are measured.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const PR_SET_TIMERSLACK = 29;
const SOCKADDR_IN_SIZE = 16;
/** No round takes more probes than this. */
const MOST_PROBES = 1 << 20;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
const close = libc.func('int close(int fd)');
const send = libc.func('int64_t send(int fd, const void *bytes, size_t length, int flags)');
const recv = libc.func('int64_t recv(int fd, void *buffer, size_t length, int flags)');
const sendto = libc.func(
  'int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
);

const usleep = libc.func('int usleep(uint32_t microseconds)');
const prctl = libc.func('int prctl(int option, unsigned long value)');

const sentAt = new Float64Array(MOST_PROBES);
const probe = new Uint32Array(1);
const echo = new Uint32Array(16);
const nothing = new Uint8Array(1);

/** struct sockaddr_in: family, port and address in network order, padding. */
function endpoint(address, port) {
  const bytes = new Uint8Array(SOCKADDR_IN_SIZE);
  new Uint16Array(bytes.buffer)[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

function udpSocket(source) {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, endpoint(source, 0), SOCKADDR_IN_SIZE) < 0) {
    throw new Error(`no socket with address ${source}: errno ${koffi.errno()}`);
  }
  return fd;
}

/**
 * @param {{source: string, target: string, knocks: number[], payload?: string, port: number, gap: number, pause: number,
 *   bound: number}} round `knocks`: none where the door is opened in another way; `payload`: what the last knock carries; `gap`: milliseconds between knocks; `pause`:
 *   microseconds between probes; `bound`: when to give up
 * @returns {Promise<{opened: number | null, unsure: number, echo: number, at: number}>} milliseconds from the last knock,
 *   or else the first probe, to the port open (null: never); how long before it was still shut; the way there and back of the first probe let
 *   through; when the last knock or the first probe was sent, by the machine's monotonic clock
 */
async function play({ source, target, knocks, payload = '', port, gap, pause, bound }) {
  const knocking = udpSocket(source);
  const probing = udpSocket(source);
  try {
    connect(probing, endpoint(target, port), SOCKADDR_IN_SIZE);
    const endpoints = knocks.map((knock) => endpoint(target, knock));
    const last = endpoints.pop();
    for (const one of endpoints) {
      sendto(knocking, nothing, 0, 0, one, SOCKADDR_IN_SIZE);
      await sleep(gap);
    }
    return ask(knocking, last, bytesOf(payload), probing, pause, bound);
  } finally {
    close(knocking);
    close(probing);
  }
}

/** A buffer of size 0 has no address. */
function bytesOf(text) {
  return { bytes: text === '' ? nothing : Buffer.from(text, 'latin1'), length: text.length };
}

function ask(knocking, last, { bytes, length }, probing, pause, bound) {
  const at = Number(process.hrtime.bigint()) / 1e6;
  const start = performance.now();
  if (last !== undefined) sendto(knocking, bytes, length, 0, last, SOCKADDR_IN_SIZE);
  for (let n = 0; n < MOST_PROBES; n++) {
    const now = performance.now();
    if (now - start > bound) break;
    sentAt[n] = now;
    probe[0] = n;
    send(probing, probe, 4, 0);
    usleep(pause);
    if (recv(probing, echo, echo.byteLength, MSG_DONTWAIT) === 4) {
      const first = echo[0];
      const shut = first === 0 ? start : sentAt[first - 1];
      return {
        opened: sentAt[first] - start,
        unsure: sentAt[first] - shut,
        echo: performance.now() - sentAt[first],
        at,
      };
    }
  }
  return { opened: null, unsure: 0, echo: 0, at };
}

// Otherwise the kernel may let a sleep of a microsecond last 50 longer.
prctl(PR_SET_TIMERSLACK, 1);

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await play(JSON.parse(line)))}\n`);
}
