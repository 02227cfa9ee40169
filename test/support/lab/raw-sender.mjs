/** Sends IP packets that no socket would make, through AF_PACKET (packet(7)). */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const ETHERTYPE = { 4: 0x0800, 6: 0x86dd };

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const sendto = libc.func(
  'int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t size)',
);
const close = libc.func('int close(int fd)');

/**
 * @param {{ packets: string[], mac: string, device?: string }} options packets in hex; the first digit is the version
 * @returns {number} how many left
 */
export function sendPackets({ packets, mac, device = 'eth0' }) {
  const index = Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'));
  const fd = socket(AF_PACKET, SOCK_DGRAM, 0);
  if (fd < 0) throw new Error('no packet socket');
  let sent = 0;
  for (const hex of packets) {
    const bytes = Buffer.from(hex, 'hex');
    if (sendto(fd, bytes, bytes.length, 0, destination(index, mac, hex[0] === '6' ? 6 : 4), 20) === bytes.length)
      sent++;
  }
  close(fd);
  return sent;
}

/** struct sockaddr_ll. */
function destination(index, mac, version) {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETHERTYPE[version], 2);
  address.writeInt32LE(index, 4);
  address.writeUInt8(6, 11);
  address.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 12);
  return address;
}
