import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Address } from '../core/address.js';
import { parseAddress } from '../core/address.js';
import { type ErrorCode, SallyportError } from '../core/errors.js';
import { type Port, type PortSpan, type Protocol, toPort } from '../core/ports.js';
import type { Knock } from '../core/sequence.js';

/** Bytes that may wait in one UDP socket: a few datagrams. All 9,000 sockets together then hold no more than 150 MB. */
const RECEIVE_BUFFER = 8192;
/** TCP connections that may wait in one port. */
const BACKLOG = 16;
/** So many sockets are bound at a time. */
const AT_ONCE = 500;
/** Files that the daemon needs beside the sockets. */
const SPARE_FILES = 200;

/** How a protocol is bound: one socket a port for both families, or one each. */
type Stack = readonly ('both' | 4 | 6)[];

const NO_PAYLOAD = new Uint8Array();

export type OnPacket = (source: Address, knock: Knock, payload: Uint8Array) => void;

/**
 * Sockets on every port of the pool: all of it or nothing, since wrong packets to a port without one would go unseen, and a
 * sweep would open. A UDP datagram is a knock, and so is a TCP connection, which is cut at once. Nothing is ever answered
 * over UDP.
 */
export class SocketPool {
  readonly #pool: PortSpan;
  readonly #protocols: readonly Protocol[];
  readonly #onPacket: OnPacket;
  readonly #onError: (error: Error) => void;
  readonly #closers: (() => void)[] = [];

  /** @param options.onError told of what a bound socket meets; it goes on */
  constructor(options: {
    pool: PortSpan;
    protocols: readonly Protocol[];
    onPacket: OnPacket;
    onError: (error: Error) => void;
  }) {
    this.#pool = options.pool;
    this.#protocols = options.protocols;
    this.#onPacket = options.onPacket;
    this.#onError = options.onError;
  }

  /**
   * Resolves when every port is bound. Where one is not, none is left bound.
   * @throws SP_POOL_TAKEN, SP_POOL_DESCRIPTORS, SP_POOL_DENIED, SP_POOL_UNBOUND
   */
  async open(): Promise<void> {
    const stack = await usableStack();
    const size = (this.#pool.last - this.#pool.first + 1) * this.#protocols.length * stack.length;
    const limit = await fileLimit();
    if (limit !== undefined && limit < size + SPARE_FILES) throw tooFew(size, limit);
    try {
      for (const protocol of this.#protocols) await this.#bindAll(protocol, stack, size, limit);
      // Node asks the system for what comes to a socket in its next turn; what came before that has lost its order.
      await setImmediate();
      await setImmediate();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  async #bindAll(protocol: Protocol, stack: Stack, size: number, limit: number | undefined): Promise<void> {
    const bind = protocol === 'udp' ? this.#bindUdp : this.#bindTcp;
    for (let first: number = this.#pool.first; first <= this.#pool.last; first += AT_ONCE) {
      const last = Math.min(first + AT_ONCE - 1, this.#pool.last);
      const ports = Array.from({ length: last - first + 1 }, (_, i) => toPort(first + i));
      const bound = ports.flatMap((port) => stack.map((family) => bind.call(this, port, family)));
      // All of them come to an end before the first failure is told, so that none is bound after the others are closed.
      for (const result of await Promise.allSettled(bound)) {
        if (result.status === 'rejected') throw inWords(result.reason, protocol, size, limit);
      }
    }
  }

  #bindUdp(port: Port, family: Stack[number]): Promise<void> {
    const knock: Knock = { protocol: 'udp', port };
    const socket = dgram.createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      recvBufferSize: RECEIVE_BUFFER,
      lookup: asItIs,
    });
    this.#closers.push(() => socket.close());
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => reject(new PortProblem(port, error)));
      socket.bind({ port, address: family === 4 ? '0.0.0.0' : '::', exclusive: true }, () => {
        socket.removeAllListeners('error').on('error', this.#onError);
        socket.on('message', (payload, { address }) => this.#packet(address, knock, payload));
        resolve();
      });
    });
  }

  #bindTcp(port: Port, family: Stack[number]): Promise<void> {
    const knock: Knock = { protocol: 'tcp', port };
    const server = net.createServer({ pauseOnConnect: true }, (connection) => {
      const { remoteAddress } = connection;
      // With a reset: the side that closes an accepted connection in order keeps it for a minute more.
      connection.on('error', () => undefined).resetAndDestroy();
      if (remoteAddress !== undefined) this.#packet(remoteAddress, knock, NO_PAYLOAD);
    });
    this.#closers.push(() => server.close());
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new PortProblem(port, error)));
      const host = family === 4 ? '0.0.0.0' : '::';
      server.listen({ port, host, ipv6Only: family === 6, backlog: BACKLOG, exclusive: true }, () => {
        server.removeAllListeners('error').on('error', this.#onError);
        resolve();
      });
    });
  }

  #packet(address: string, knock: Knock, payload: Uint8Array): void {
    const source = socketAddress(address);
    if (source !== undefined) this.#onPacket(source, knock, payload);
  }
}

/**
 * The address of a peer as a socket tells it. IPv4 in IPv6 clothes is undressed, and the zone of a link-local address left out.
 * Undefined for what is none.
 */
export function socketAddress(text: string): Address | undefined {
  // What the system prints is in canonical form already but for dots in an IPv6 address: RFC 5952 has it from there.
  if (!text.includes(':')) return text as Address;
  const zone = text.indexOf('%');
  const address = zone < 0 ? text : text.slice(0, zone);
  if (!address.includes('.')) return address as Address;
  if (address.startsWith('::ffff:') && !address.includes(':', 7)) return address.slice(7) as Address;
  try {
    return parseAddress(address);
  } catch {
    return undefined;
  }
}

class PortProblem extends Error {
  readonly port: Port;
  readonly code: string;

  constructor(port: Port, cause: Error) {
    super(cause.message, { cause });
    this.port = port;
    this.code = codeOf(cause);
  }
}

/** A coded error that can cross from a thread: an Error loses its class on the way. */
export class PoolError extends SallyportError {
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>>, cause?: unknown) {
    super(code, details, cause);
    this.details = details;
  }
}

/** One socket for both families where the system does that; IPv4 alone where there is no IPv6. */
async function usableStack(): Promise<Stack> {
  if (!(await hasIpv6())) return [4];
  // Node leaves it to the system whether a UDP socket of IPv6 hears IPv4, too.
  const isSplit = await readFile('/proc/sys/net/ipv6/bindv6only', 'utf8').catch(() => '0');
  const isDual = (process.platform === 'linux' && isSplit.trim() === '0') || process.platform === 'darwin';
  return isDual ? ['both'] : [4, 6];
}

function hasIpv6(): Promise<boolean> {
  const socket = dgram.createSocket({ type: 'udp6', lookup: asItIs });
  return new Promise((resolve) => {
    socket.once('error', (error) => {
      socket.close();
      // Whatever else is wrong is told of when the pool is bound.
      resolve(!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL', 'EPROTONOSUPPORT'].includes(codeOf(error)));
    });
    socket.bind({ port: 0, address: '::', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** How many files this process may have open; undefined where that cannot be told. */
async function fileLimit(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

function inWords(problem: unknown, protocol: Protocol, size: number, limit: number | undefined): unknown {
  if (!(problem instanceof PortProblem)) return problem;
  const port = `${protocol}/${problem.port}`;
  if (problem.code === 'EADDRINUSE') return new PoolError('SP_POOL_TAKEN', { port }, problem);
  if (problem.code === 'EMFILE' || problem.code === 'ENFILE') return tooFew(size, limit ?? 'reached', problem);
  if (problem.code === 'EACCES' || problem.code === 'EPERM') {
    return new PoolError('SP_POOL_DENIED', { port }, problem);
  }
  return new PoolError('SP_POOL_UNBOUND', { port, problem: problem.code }, problem);
}

function tooFew(size: number, limit: number | string, cause?: unknown): PoolError {
  return new PoolError('SP_POOL_DESCRIPTORS', { size, needed: size + SPARE_FILES, limit }, cause);
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}

function asItIs(
  host: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, host, net.isIP(host));
}
