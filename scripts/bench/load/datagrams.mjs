/*
 * Empty UDP datagrams from whatever source, at more than 100,000 a second: ready-made Ethernet frames of which only the
 * source, the port and the checksum are written anew, handed over in batches (sendmmsg(2) on a packet(7) socket).
 *
 *   0            6            12    14                     34        42
 *   | to (MAC)   | from (MAC) | type| IPv4 header          | UDP     |      one frame; the next begins at 64
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const ETHERTYPE_IPV4 = 0x0800;
const UDP = 17;
const ETHERNET_SIZE = 14;
const FRAME_SIZE = ETHERNET_SIZE + 20 + 8;
const STRIDE = 64;
/** Well below what the receiving kernel queues at most (netdev_max_backlog, 1000). */
export const BATCH = 64;
/** struct mmsghdr and struct iovec where pointers have 8 bytes. */
const MMSGHDR_SIZE = 64;
const IOVEC_SIZE = 16;
const SOURCE_PORT = 40_000;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
const sendmmsg = libc.func('int sendmmsg(int fd, void *messages, uint32_t count, int flags)');
const usleep = libc.func('int usleep(uint32_t microseconds)');

/** Gives the processor away for some microseconds. */
export function pause(microseconds) {
  usleep(microseconds);
}

/** An IPv4 address as a whole number, so that sources can be counted. */
export function toNumber(address) {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

export class Datagrams {
  #fd;
  #frames;
  #messages;
  /** The sum of the IPv4 header's constant words (RFC 1071). */
  #headerSum;

  /** @param {{target: string, mac: string}} options whom to send to, over eth0 */
  constructor({ target, mac }) {
    this.#fd = packetSocket();
    const frames = koffi.alloc('uint8_t', BATCH * STRIDE);
    const vectors = koffi.alloc('uint8_t', BATCH * IOVEC_SIZE);
    this.#messages = koffi.alloc('uint8_t', BATCH * MMSGHDR_SIZE);
    this.#frames = new DataView(koffi.view(frames, BATCH * STRIDE));
    const vectorView = new DataView(koffi.view(vectors, BATCH * IOVEC_SIZE));
    const messageView = new DataView(koffi.view(this.#messages, BATCH * MMSGHDR_SIZE));
    const template = frame({ target, mac });
    this.#headerSum = sumOf(template.subarray(ETHERNET_SIZE, ETHERNET_SIZE + 20));
    for (let slot = 0; slot < BATCH; slot++) {
      new Uint8Array(this.#frames.buffer).set(template, slot * STRIDE);
      vectorView.setBigUint64(slot * IOVEC_SIZE, koffi.address(frames) + BigInt(slot * STRIDE), true);
      vectorView.setBigUint64(slot * IOVEC_SIZE + 8, BigInt(FRAME_SIZE), true);
      for (let at = 0; at < MMSGHDR_SIZE; at++) messageView.setUint8(slot * MMSGHDR_SIZE + at, 0);
      messageView.setBigUint64(slot * MMSGHDR_SIZE + 16, koffi.address(vectors) + BigInt(slot * IOVEC_SIZE), true);
      messageView.setBigUint64(slot * MMSGHDR_SIZE + 24, 1n, true);
    }
  }

  /** Prepares one of the BATCH datagrams of the next sending. `source`: see toNumber. */
  put(slot, source, port) {
    const at = slot * STRIDE + ETHERNET_SIZE;
    let sum = this.#headerSum + (source >>> 16) + (source & 0xffff);
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = (sum & 0xffff) + (sum >>> 16);
    this.#frames.setUint16(at + 10, ~sum & 0xffff);
    this.#frames.setUint32(at + 12, source);
    this.#frames.setUint16(at + 22, port);
  }

  /** Sends the first `count` that were put. */
  send(count) {
    const taken = sendmmsg(this.#fd, this.#messages, count, 0);
    if (taken !== count) throw new Error(`the wire took ${taken} of ${count} datagrams: errno ${koffi.errno()}`);
  }
}

function packetSocket() {
  const fd = socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  const card = Number(readFileSync('/sys/class/net/eth0/ifindex', 'utf8'));
  // struct sockaddr_ll, of which only family and interface count.
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeInt32LE(card, 4);
  if (fd < 0 || bind(fd, address, address.length) < 0) throw new Error(`no packet socket: errno ${koffi.errno()}`);
  return fd;
}

/** Without a UDP checksum, which IPv4 allows (RFC 768). */
function frame({ target, mac }) {
  const bytes = Buffer.alloc(FRAME_SIZE);
  const own = readFileSync('/sys/class/net/eth0/address', 'utf8').trim();
  for (const [index, one] of [mac, own].entries()) bytes.set(Buffer.from(one.replaceAll(':', ''), 'hex'), index * 6);
  bytes.writeUInt16BE(ETHERTYPE_IPV4, 12);
  const ip = bytes.subarray(ETHERNET_SIZE);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(28, 2);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(UDP, 9);
  ip.writeUInt32BE(toNumber(target), 16);
  ip.writeUInt16BE(SOURCE_PORT, 20);
  ip.writeUInt16BE(8, 24);
  return bytes;
}

function sumOf(bytes) {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) + bytes[at + 1];
  return sum;
}
