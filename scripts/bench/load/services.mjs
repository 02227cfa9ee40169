/*
 * The guarded services of several machines in one process: a TCP port where connections are made and an echo of UDP. One
 * process, so that none of the machines has the luck of a processor that is free. Nobody waits for a TCP connection: were
 * this process woken by it, it might run before the one that measures; the queue of finished connections is emptied now
 * and then. The argument is `{services: [{namespace, tcp, udp}]}`, the first of them the machine that it runs in.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const AF_INET = 2;
const STREAM_NONBLOCK = 1 | 0x800;
const DGRAM_NONBLOCK = 2 | 0x800;
const CLONE_NEWNET = 0x4000_0000;
const POLLIN = 1;
const SOCKADDR_IN_SIZE = 16;
const QUEUE = 4096;
const EMPTY_EVERY_MS = 20;

const libc = koffi.load('libc.so.6');
const setns = libc.func('int setns(int fd, int type)');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const listen = libc.func('int listen(int fd, int backlog)');
const accept = libc.func('int accept4(int fd, void *address, void *length, int flags)');
const close = libc.func('int close(int fd)');
const poll = libc.func('int poll(void *fds, unsigned long count, int timeout)');
const recvfrom = libc.func(
  'int64_t recvfrom(int fd, void *bytes, size_t length, int flags, void *address, void *size)',
);
const sendto = libc.func(
  'int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
);

const { services } = JSON.parse(process.argv[2]);
const opened = services.map(open);
// struct pollfd: fd, events (16 bits), what came (16 bits).
const polled = new Int32Array(opened.flatMap(({ echo }) => [echo, POLLIN]));
const [bytes, from, size] = [new Uint8Array(64), new Uint8Array(SOCKADDR_IN_SIZE), new Uint32Array(1)];
process.stdout.write('ready\n');

for (let emptied = performance.now(); ; ) {
  poll(polled, opened.length, EMPTY_EVERY_MS);
  for (const { echo } of opened) answer(echo);
  if (performance.now() - emptied < EMPTY_EVERY_MS) continue;
  for (const { listener } of opened) empty(listener);
  emptied = performance.now();
}

function open({ namespace, tcp, udp }) {
  const file = openSync(`/run/netns/${namespace}`, 'r');
  if (setns(file, CLONE_NEWNET) < 0) throw new Error(`no way into ${namespace}: errno ${koffi.errno()}`);
  closeSync(file);
  const [listener, echo] = [bound(STREAM_NONBLOCK, tcp), bound(DGRAM_NONBLOCK, udp)];
  if (listen(listener, QUEUE) < 0) throw new Error(`TCP port ${tcp} does not listen: errno ${koffi.errno()}`);
  return { listener, echo };
}

function bound(type, port) {
  const fd = socket(AF_INET, type, 0);
  const address = new DataView(new ArrayBuffer(SOCKADDR_IN_SIZE));
  address.setUint16(0, AF_INET, true);
  address.setUint16(2, port);
  if (fd < 0 || bind(fd, new Uint8Array(address.buffer), SOCKADDR_IN_SIZE) < 0) {
    throw new Error(`port ${port} cannot be had: errno ${koffi.errno()}`);
  }
  return fd;
}

function answer(echo) {
  for (;;) {
    size[0] = SOCKADDR_IN_SIZE;
    const length = recvfrom(echo, bytes, bytes.length, 0, from, size);
    if (length < 0) return;
    sendto(echo, bytes, length, 0, from, SOCKADDR_IN_SIZE);
  }
}

function empty(listener) {
  for (let fd = accept(listener, null, null, 0); fd >= 0; fd = accept(listener, null, null, 0)) close(fd);
}
