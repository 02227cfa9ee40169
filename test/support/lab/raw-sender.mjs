/** Sends IP packets that no socket would make, through AF_PACKET (packet(7)). */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const BURST = 250;
const ETHERTYPE = { 4: 0x0800, 6: 0x86dd };

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const sendto = libc.func(
  'int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t size)',
);
const close = libc.func('int close(int fd)');

/**
 * @param {{ packets: string[], mac: string, times: number }} options packets in hex, all of them `times` over
 * @returns {Promise<number>} how many left
 */
export async function sendPackets({ packets, mac, times }) {
  const card = openCard(mac);
  const datagrams = packets.map((hex) => Buffer.from(hex, 'hex'));
  let tried = 0;
  let sent = 0;
  for (let round = 0; round < times; round++) {
    for (const bytes of datagrams) {
      if (card.send(bytes)) sent++;
      // The receiving kernel queues 1000 packets at most (netdev_max_backlog).
      if (++tried % BURST === 0) await sleep(1);
    }
  }
  card.close();
  return sent;
}

/**
 * The card of this machine, for packets to another.
 * @param {string} mac of the other's card
 * @returns {{ send: (bytes: Uint8Array, version?: 4 | 6) => boolean, close: () => void }} `send` tells whether it left;
 *   `version` is what the frame says of the packet, which is the packet's own word unless another is given
 */
export function openCard(mac) {
  const index = Number(readFileSync('/sys/class/net/eth0/ifindex', 'utf8'));
  const fd = socket(AF_PACKET, SOCK_DGRAM, 0);
  if (fd < 0) throw new Error('no packet socket');
  const to = { 4: destination(index, mac, 4), 6: destination(index, mac, 6) };
  return {
    send(bytes, version = (bytes[0] ?? 0) >> 4) {
      const address = to[version];
      return sendto(fd, bytes, bytes.length, 0, address, address.length) === bytes.length;
    },
    close: () => void close(fd),
  };
}

/** struct sockaddr_ll. */
function destination(card, mac, version) {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETHERTYPE[version], 2);
  address.writeInt32LE(card, 4);
  address.writeUInt8(6, 11);
  address.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 12);
  return address;
}
