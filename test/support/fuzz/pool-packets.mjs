/*
 * Random and bent packets to the pool and to guarded ports. None of them, and no row of them, is a whole knock:
 *
 *   walkers    go through the first knocks of the users, in any order and clothes, but never on the last port of one
 *   finishers  send last knocks, each from an address that never sent another packet
 *   the bent   have faults in any byte: three of them would have to become the knocks of one sequence by chance
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openCard } from '../lab/raw-sender.mjs';

const BURST = 200;
const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132, udpLite: 136 };
const OTHER_PROTOCOLS = [
  0,
  2,
  4,
  33,
  41,
  43,
  44,
  47,
  50,
  51,
  59,
  60,
  94,
  103,
  135,
  PROTOCOL.sctp,
  PROTOCOL.udpLite,
  255,
];
const GUARDED = [22, 80, 443, 5060, 5061, 10_000, 20_000];
const WALKERS = 48;

/**
 * @param {{ mac: string, count: number, seed: number, ipv4: number[], ipv6: number[],
 *   sequences: { protocol: 'tcp' | 'udp', port: number }[][] }} options the machine's addresses, as bytes
 * @returns {Promise<Record<string, number>>} how many left, by kind
 */
export async function sendRandomPackets({ mac, count, ...options }) {
  const maker = new PacketMaker(options);
  const card = openCard(mac);
  const kinds = {};
  let sent = 0;
  for (let tried = 1; sent < count && tried < 4 * count; tried++) {
    const { kind, version, bytes } = maker.next();
    if (bytes.length > 0 && card.send(bytes, version)) {
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      sent++;
    }
    if (tried % BURST === 0) await sleep(1);
  }
  card.close();
  return kinds;
}

class PacketMaker {
  #state;
  #ipv4;
  #ipv6;
  #early;
  #last;
  #lastPorts;
  #lastFresh = 0;

  constructor({ seed, ipv4, ipv6, sequences }) {
    this.#state = seed >>> 0;
    this.#ipv4 = Buffer.from(ipv4);
    this.#ipv6 = Buffer.from(ipv6);
    this.#last = sequences.map((sequence) => sequence.at(-1));
    this.#lastPorts = new Set(this.#last.map(({ port }) => port));
    this.#early = sequences
      .flatMap((sequence) => sequence.slice(0, -1))
      .filter(({ port }) => !this.#lastPorts.has(port));
  }

  next() {
    const version = this.#below(2) === 0 ? 4 : 6;
    const kind = this.#below(10);
    if (kind === 0) return { kind: 'noise', version, bytes: this.#bytes(this.#below(200)) };
    if (kind === 1) {
      const bytes = this.#packet(version, this.#fresh(version), this.#pick(this.#last), this.#below(3) > 0);
      return { kind: 'finisher', version, bytes };
    }
    if (kind < 5) {
      const source = this.#source(version, 0x80 + this.#below(0x80));
      return { kind: 'bent', version, bytes: this.#bend(this.#packet(version, source, this.#port(), true)) };
    }
    const source = this.#source(version, this.#below(WALKERS));
    const { protocol, port } = this.#below(2) === 0 ? this.#pick(this.#early) : this.#port();
    const to = this.#lastPorts.has(port) ? this.#pick(this.#early) : { protocol, port };
    return { kind: 'walker', version, bytes: this.#packet(version, source, to, true) };
  }

  #port() {
    const protocol = this.#below(2) === 0 ? 'tcp' : 'udp';
    const port = this.#below(8) === 0 ? this.#pick(GUARDED) : 21_000 + this.#below(9000);
    return { protocol, port };
  }

  /** An address of ours that is used again and again. */
  #source(version, n) {
    return version === 4 ? Buffer.from([10, 90, 0, n]) : Buffer.from([0xfd, 0x90, 0, n, ...new Array(11).fill(0), 1]);
  }

  /** An address of ours that was never used. */
  #fresh(version) {
    const n = ++this.#lastFresh;
    const bytes = [(n >> 16) & 255, (n >> 8) & 255, n & 255];
    return version === 4
      ? Buffer.from([11, ...bytes])
      : Buffer.from([0xfd, 0x91, ...bytes, ...new Array(10).fill(0), 1]);
  }

  /** A packet that is true, or whose checksum, options, headers or parts are strange where `isOdd`. */
  #packet(version, source, to, isOdd) {
    const segment = this.#segment(to, isOdd);
    const number = isOdd && this.#below(12) === 0 ? this.#pick(OTHER_PROTOCOLS) : PROTOCOL[to.protocol];
    if (isOdd && this.#below(15) === 0) return this.#carried(version, source, to);
    return this.#around(version, source, number, segment, isOdd);
  }

  #around(version, source, number, segment, isOdd) {
    const target = version === 4 ? this.#ipv4 : this.#ipv6;
    if (number === PROTOCOL.tcp || number === PROTOCOL.udp) this.#sum(source, target, number, segment, isOdd);
    return version === 4
      ? this.#v4(source, target, number, segment, isOdd)
      : this.#v6(source, target, number, segment, isOdd);
  }

  /** TCP with any flags and options, or UDP, of which the payload may be none and the length a lie. */
  #segment({ protocol, port }, isOdd) {
    const payload = isOdd && this.#below(3) === 0 ? this.#bytes(this.#below(80)) : Buffer.alloc(0);
    const isTcp = protocol === 'tcp';
    const options = isTcp && isOdd && this.#below(4) === 0 ? this.#bytes(4 * this.#below(11)) : Buffer.alloc(0);
    const header = Buffer.alloc((isTcp ? 20 : 8) + options.length);
    header.writeUInt16BE(isOdd && this.#below(5) === 0 ? this.#below(65_536) : 40_000, 0);
    header.writeUInt16BE(port, 2);
    if (isTcp) {
      header.writeUInt32BE(this.#below(2 ** 32), 4);
      header.writeUInt8((isOdd && this.#below(8) === 0 ? this.#below(16) : header.length / 4) << 4, 12);
      header.writeUInt8(isOdd && this.#below(2) === 0 ? this.#below(256) : 2, 13);
      header.writeUInt16BE(1024, 14);
      options.copy(header, 20);
    } else {
      const length = isOdd && this.#below(4) === 0 ? this.#pick([0, 1, 7, 8, 9, 65_535]) : 8 + payload.length;
      header.writeUInt16BE(length, 4);
    }
    return Buffer.concat([header, payload]);
  }

  #sum(source, target, number, segment, isOdd) {
    const at = number === PROTOCOL.tcp ? 16 : 6;
    if (segment.length < at + 2 || (isOdd && this.#below(6) === 0)) return;
    const pseudo = Buffer.from([0, number, segment.length >> 8, segment.length & 255]);
    segment.writeUInt16BE(checksum(Buffer.concat([source, target, pseudo, segment])) || 0xffff, at);
  }

  /** An ICMP error or echo, or a tunnel, in which a knock is carried. */
  #carried(version, source, to) {
    const target = version === 4 ? this.#ipv4 : this.#ipv6;
    const knock = this.#segment(to, false);
    const inner =
      version === 4
        ? this.#v4(target, source, PROTOCOL[to.protocol], knock, false)
        : this.#v6(target, source, PROTOCOL[to.protocol], knock, false);
    if (this.#below(3) === 0) return this.#around(version, source, this.#pick([4, 41, 47]), inner, false);
    const message = Buffer.alloc(8);
    message.writeUInt8(this.#pick(version === 4 ? [0, 3, 4, 5, 8, 11, 12] : [1, 2, 3, 4, 128, 129, 135]), 0);
    message.writeUInt8(this.#below(4), 1);
    const icmp = Buffer.concat([message, inner]);
    const pseudo = Buffer.from([0, PROTOCOL.icmp6, icmp.length >> 8, icmp.length & 255]);
    icmp.writeUInt16BE(checksum(version === 4 ? icmp : Buffer.concat([source, target, pseudo, icmp])), 2);
    return this.#around(version, source, version === 4 ? PROTOCOL.icmp : PROTOCOL.icmp6, icmp, false);
  }

  #v4(source, target, number, segment, isOdd) {
    const options = isOdd && this.#below(5) === 0 ? this.#ipOptions() : Buffer.alloc(0);
    const fragment = isOdd && this.#below(10) === 0;
    const part = fragment && this.#below(2) === 0 ? segment.subarray(0, 8 * this.#below(4)) : segment;
    const header = Buffer.alloc(20 + options.length);
    header.writeUInt8(0x40 + header.length / 4, 0);
    header.writeUInt8(this.#below(256), 1);
    header.writeUInt16BE(header.length + part.length, 2);
    header.writeUInt16BE(this.#below(fragment ? 4 : 65_536), 4);
    // More fragments, and an offset in units of 8 bytes.
    if (fragment) header.writeUInt16BE((this.#below(2) << 13) | this.#pick([0, 0, 1, 2, 8191]), 6);
    header.writeUInt8(isOdd && this.#below(10) === 0 ? this.#below(2) : 64, 8);
    header.writeUInt8(number, 9);
    source.copy(header, 12);
    target.copy(header, 16);
    options.copy(header, 20);
    if (!isOdd || this.#below(20) > 0) header.writeUInt16BE(checksum(header), 10);
    return Buffer.concat([header, part]);
  }

  /** Well-formed ones (no operation, router alert, a timestamp, loose source routes) and any bytes. */
  #ipOptions() {
    const known = [
      [1, 1, 1, 1],
      [0x94, 4, 0, 0],
      [0x44, 8, 5, 0, 0, 0, 0, 0],
      [0x83, 7, 4, 10, 77, 0, 3, 0],
    ];
    return this.#below(3) === 0 ? this.#bytes(4 * (1 + this.#below(10))) : Buffer.from(this.#pick(known));
  }

  #v6(source, target, number, segment, isOdd) {
    const chain = [];
    for (let n = isOdd && this.#below(3) === 0 ? 1 + this.#below(4) : 0; n > 0; n--) chain.push(this.#extension());
    const headers = chain.map(({ bytes }, i) => {
      bytes.writeUInt8(chain[i + 1]?.type ?? number, 0);
      return bytes;
    });
    const header = Buffer.alloc(40);
    const length = headers.reduce((sum, one) => sum + one.length, segment.length);
    header.writeUInt32BE((6 << 28) | this.#below(2 ** 28), 0);
    header.writeUInt16BE(isOdd && this.#below(30) === 0 ? this.#below(65_536) : length, 4);
    header.writeUInt8(chain[0]?.type ?? number, 6);
    header.writeUInt8(64, 7);
    source.copy(header, 8);
    target.copy(header, 24);
    return Buffer.concat([header, ...headers, segment]);
  }

  /** Hop-by-hop, routing, destination options, authentication, a fragment; with room for the next header's number. */
  #extension() {
    const type = this.#pick([0, 43, 60, 51, 44, 44]);
    if (type === 44) {
      const bytes = Buffer.alloc(8);
      // Half of them atomic (RFC 6946), which are whole packets; the others parts of something.
      if (this.#below(2) === 0) bytes.writeUInt16BE((this.#pick([0, 0, 1, 2, 8191]) << 3) | this.#below(2), 2);
      bytes.writeUInt32BE(this.#below(4), 4);
      return { type, bytes };
    }
    const units = this.#below(3);
    const size = type === 51 ? 8 * units + 16 : 8 * units + 8;
    const bytes = this.#below(3) === 0 ? this.#bytes(size) : Buffer.alloc(size);
    bytes.writeUInt8(type === 51 ? size / 4 - 2 : units, 1);
    // One option that pads the whole (RFC 8200, section 4.2).
    if (type !== 51) bytes.set([1, size - 4], 2);
    return { type, bytes };
  }

  #bend(bytes) {
    const copy = Buffer.from(bytes);
    for (let n = this.#below(4); n >= 0 && copy.length > 0; n--) {
      const at = this.#below(Math.min(copy.length, 60));
      const how = this.#below(4);
      if (how === 0) return copy.subarray(0, at);
      if (how === 1) copy[at] ^= 1 << this.#below(8);
      else if (how === 2) copy[at] = this.#pick([0, 1, 0x7f, 0x80, 0xff]);
      else copy[at] = this.#below(256);
    }
    return copy;
  }

  #below(bound) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  #pick(items) {
    return items[this.#below(items.length)];
  }

  #bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }
}

/** RFC 1071. */
function checksum(bytes) {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
