/** A voice as a telephone sends it: G.711 silence every 20 ms, digits as telephone-events (RFC 4733), what comes in counted. */

import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';

const PACKET_MS = 20;
const SAMPLES = 160;
const PCMU = 0;
const EVENTS = 101;
const SILENCE = Buffer.alloc(SAMPLES, 0xff);
const KEYS = '0123456789*#ABCD';
/** From this step of the mu-law scale on, a packet counts as heard. */
const LOUD = 3;

export class RtpStream {
  #socket;
  #local;
  #to;
  #timer;
  #sequence = randomInt(65536);
  #timestamp = randomInt(1 << 30);
  #ssrc = randomInt(2 ** 31);
  #due = 0;
  /** Packets of events that go out before silence does: one each 20 ms, or none for a gap. */
  #queue = [];
  #idle = [];
  #released;
  /** Packets that came, and those of them in which something is to be heard. */
  received = 0;
  heard = 0;
  /** The names of the recordings that were heard, where they spell them (spoken-sounds.ts). */
  said = [];

  constructor(local) {
    this.#local = local;
  }

  /** Resolves with the port. */
  async open() {
    this.#socket = dgram.createSocket('udp4');
    this.#socket.on('message', (packet) => this.#count(packet)).on('error', () => {});
    await new Promise((resolve, reject) => this.#socket.once('error', reject).bind(0, this.#local, resolve));
    return this.#socket.address().port;
  }

  /** What the other side must know to send to us. */
  sdp() {
    const { port } = this.#socket.address();
    return [
      'v=0',
      `o=- ${port} 1 IN IP4 ${this.#local}`,
      's=-',
      `c=IN IP4 ${this.#local}`,
      't=0 0',
      `m=audio ${port} RTP/AVP ${PCMU} ${EVENTS}`,
      'a=rtpmap:0 PCMU/8000',
      `a=rtpmap:${EVENTS} telephone-event/8000`,
      `a=fmtp:${EVENTS} 0-15`,
      'a=ptime:20',
      'a=sendrecv',
      '',
    ].join('\r\n');
  }

  /** Begins to send to where the other side's SDP says. */
  connect(sdp) {
    const address = /^c=IN IP4 (\S+)/m.exec(sdp)?.[1];
    const port = Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
    if (!address || !port) return;
    this.#to = { address, port };
    if (this.#timer !== undefined) return;
    this.#due = performance.now();
    this.#timer = setInterval(() => this.#tick(), 5);
  }

  /**
   * Presses keys one after the other; resolves when the last gap is over.
   * @param {{tone?: number, gap?: number}} [times] milliseconds, each a multiple of 20
   * @returns {Promise<number | undefined>} when the last key was released, in milliseconds of the machine's monotonic clock: the
   *   sending of the first packet that carries the end of its event
   */
  press(digits, { tone = 80, gap = 60 } = {}) {
    for (const digit of digits) {
      const event = KEYS.indexOf(digit);
      if (event < 0) throw new Error(`${digit} is no key`);
      const packets = tone / PACKET_MS;
      for (let n = 1; n <= packets; n++) this.#queue.push({ event, n, isFirst: n === 1, isLast: n === packets });
      for (let n = 0; n < gap / PACKET_MS; n++) this.#queue.push(null);
    }
    if (this.#timer === undefined || this.#queue.length === 0) return Promise.resolve(this.#released);
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  close() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#release();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #tick() {
    for (let sent = 0; this.#due <= performance.now() && sent < 10; sent++) {
      this.#due += PACKET_MS;
      const next = this.#queue.shift();
      if (next) this.#sendEvent(next);
      else {
        this.#send(PCMU, false, SILENCE, this.#timestamp);
        if (this.#queue.length === 0) this.#release();
      }
      this.#timestamp = (this.#timestamp + SAMPLES) >>> 0;
    }
  }

  #sendEvent({ event, n, isFirst, isLast }) {
    const start = (this.#timestamp - (n - 1) * SAMPLES) >>> 0;
    const payload = Buffer.from([event, isLast ? 0x8a : 0x0a, (n * SAMPLES) >> 8, (n * SAMPLES) & 255]);
    if (isLast) this.#released = Number(process.hrtime.bigint()) / 1e6;
    // The end is said three times, since packets get lost.
    for (let times = isLast ? 3 : 1; times > 0; times--) this.#send(EVENTS, isFirst, payload, start);
  }

  #send(type, marker, payload, timestamp) {
    const head = Buffer.alloc(12);
    head[0] = 0x80;
    head[1] = type | (marker ? 0x80 : 0);
    head.writeUInt16BE(this.#sequence, 2);
    head.writeUInt32BE(timestamp, 4);
    head.writeUInt32BE(this.#ssrc, 8);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#socket?.send(Buffer.concat([head, payload]), this.#to.port, this.#to.address, () => {});
  }

  #count(packet) {
    if (packet.length <= 12 || (packet[1] & 0x7f) !== PCMU) return;
    this.received++;
    if (packet.subarray(12).some((sample) => ((~sample >> 4) & 7) >= LOUD)) this.heard++;
    const [, name] = /^SAYS 0 (\S+)\n/.exec(packet.toString('latin1', 12)) ?? [];
    if (name !== undefined) this.said.push(name);
  }

  #release() {
    for (const resolve of this.#idle.splice(0)) resolve(this.#released);
  }
}
