import { EAGAIN, EBADMSG, EINTR, isLoss, NetlinkError } from './errors.js';
import type { Libc } from './libc.js';
import { decodeMessages, HOST_LITTLE_ENDIAN, type Message } from './message.js';
import { BPF_INSTRUCTION_SIZE, dropFrom } from './port-filter.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_ATTACH_FILTER = 26;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

/** struct sockaddr_nl: family, padding, port id, groups (a bit each). */
const ADDRESS_SIZE = 12;

/**
 * More than the kernel puts into one datagram: 32 KiB of a dump, a notification, an acknowledgement. It takes memory only as
 * far as it was ever filled.
 */
const BUFFER_SIZE = 1 << 17;

/** The multicast group of nf_tables events (linux/netfilter/nfnetlink.h). */
export const NFNLGRP_NFTABLES = 7;

export interface SocketOptions {
  /** One multicast group to join. */
  readonly group?: number;
  /** Bytes that may wait to be read. */
  readonly receiveBuffer?: number;
}

/** A netfilter netlink socket. It never waits to receive: what the kernel answers is there when `send` returns. */
export class NetlinkSocket {
  readonly fd: number;
  /** The address of this socket; the kernel tells what it causes with it. */
  readonly portId: number;
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #sendBuffer = 0;
  #closed = false;

  /** @throws NetlinkError, EPERM without CAP_NET_ADMIN where a group is joined */
  static open(libc: Libc, options: SocketOptions = {}): NetlinkSocket {
    const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) throw new NetlinkError(libc.errno(), 'opening a netlink socket');
    try {
      if (options.receiveBuffer !== undefined) {
        setBuffer(libc, fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBuffer);
      }
      // Without it an error brings the whole refused message back.
      libc.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, new Int32Array([1]), 4);
      return new NetlinkSocket(libc, fd, bind(libc, fd, options.group));
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  private constructor(libc: Libc, fd: number, portId: number) {
    this.#libc = libc;
    this.fd = fd;
    this.portId = portId;
  }

  /**
   * Lets the kernel leave out datagrams that other sockets caused, so that nothing wakes for them. Where it cannot, they
   * still arrive.
   */
  ignore(portIds: readonly number[]): void {
    const filter = dropFrom(portIds);
    // struct sock_fprog: the number of instructions, then, aligned, a pointer to them.
    const program = new DataView(new ArrayBuffer(16));
    program.setUint16(0, filter.length / BPF_INSTRUCTION_SIZE, HOST_LITTLE_ENDIAN);
    program.setBigUint64(8, this.#libc.address(filter), HOST_LITTLE_ENDIAN);
    this.#libc.setsockopt(this.fd, SOL_SOCKET, SO_ATTACH_FILTER, new Int32Array(program.buffer), program.byteLength);
  }

  /** Hands messages to the kernel and returns when it has dealt with them. @throws NetlinkError */
  send(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    for (;;) {
      if (this.#libc.send(this.fd, bytes, bytes.length, 0) >= 0) return;
      const errno = this.#libc.errno();
      if (errno !== EINTR) throw new NetlinkError(errno, 'sending to the kernel');
    }
  }

  /**
   * Reads one datagram, if one is there.
   * @returns a view of a buffer that this socket's next call writes over; undefined: nothing waits
   * @throws NetlinkError where something was lost: ENOBUFS, the kernel had no room for it; EBADMSG, we had none
   */
  receive(): Uint8Array | undefined {
    const buffer = this.#buffer;
    for (;;) {
      const length = this.#libc.recv(this.fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC);
      if (length > buffer.length) throw new NetlinkError(EBADMSG, 'a datagram larger than the buffer');
      if (length >= 0) return buffer.subarray(0, length);
      const errno = this.#libc.errno();
      if (errno === EAGAIN) return undefined;
      if (errno !== EINTR) throw new NetlinkError(errno, 'receiving from the kernel');
    }
  }

  /** Sends messages and reads all that the kernel answers. @throws NetlinkError, ENOBUFS where part of that was lost */
  request(bytes: Uint8Array): Message[] {
    this.send(bytes);
    const answers: Message[] = [];
    let lost: NetlinkError | undefined;
    for (;;) {
      try {
        const datagram = this.receive();
        if (datagram === undefined) break;
        answers.push(...decodeMessages(datagram.slice()));
      } catch (error) {
        // Whatever waits is read all the same: left there, it would pass for the answer to the next request.
        if (!isLoss(error)) throw error;
        lost ??= error;
      }
    }
    if (lost !== undefined) throw lost;
    return answers;
  }

  close(): void {
    if (!this.#closed) this.#libc.close(this.fd);
    this.#closed = true;
  }

  /** The kernel takes no message larger than the send buffer. */
  #makeRoom(size: number): void {
    const wanted = size + 4096;
    if (wanted <= this.#sendBuffer) return;
    this.#sendBuffer = Math.max(2 * wanted, 1 << 20);
    setBuffer(this.#libc, this.fd, SO_SNDBUFFORCE, SO_SNDBUF, this.#sendBuffer);
  }
}

/** Beyond the system's limit where we may (CAP_NET_ADMIN in the initial user namespace), else up to it. */
function setBuffer(libc: Libc, fd: number, forced: number, limited: number, size: number): void {
  const value = new Int32Array([size]);
  if (libc.setsockopt(fd, SOL_SOCKET, forced, value, 4) < 0) libc.setsockopt(fd, SOL_SOCKET, limited, value, 4);
}

/** Takes the port id that the kernel chooses, and returns it. */
function bind(libc: Libc, fd: number, group: number | undefined): number {
  const address = new Uint8Array(ADDRESS_SIZE);
  new Uint16Array(address.buffer)[0] = AF_NETLINK;
  if (group !== undefined) new Uint32Array(address.buffer)[2] = 1 << (group - 1);
  if (libc.bind(fd, address, ADDRESS_SIZE) < 0) throw new NetlinkError(libc.errno(), 'binding a netlink socket');
  if (libc.getsockname(fd, address, new Uint32Array([ADDRESS_SIZE])) < 0) {
    throw new NetlinkError(libc.errno(), 'reading the port id');
  }
  return new Uint32Array(address.buffer)[1] ?? 0;
}
