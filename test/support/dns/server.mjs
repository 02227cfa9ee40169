/*
 * A name server of the tests' own, over UDP and TCP. What it says of a name is set from outside, and need not be true:
 *
 *   { A: [...], AAAA: [...], ttl }   these addresses, 60 s where no ttl is given; none of a kind: an empty answer
 *   { rcode: 'servfail' }            servfail, refused or nxdomain
 *   { does: 'nothing' }              never answers
 *   { does: 'garbage' }              random bytes with the right id
 *   { does: 'strangeId' }            an answer to somebody else
 *   { does: 'otherName', A }         an answer for a name that nobody asked for
 *   { does: 'loop' }                 an alias of an alias of itself
 *   { does: 'alias', to, A }         an alias with the addresses of what it stands for
 *   { does: 'truncate', A }          says over UDP that it is too long, and all of it over TCP
 *   { does: 'random', count }         so many others every time, of 198.18.0.0/15 and 2001:db8::/32
 *   { does: 'truncateOnly' }         says so, and nothing over TCP
 *
 * `A` and `AAAA` may themselves be one of these, for that kind of record alone. Names that are not set do not exist.
 */
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';
import { answer, RCODES, readQuestion } from './packets.mjs';

export class DnsServer {
  #zone = new Map();
  #udp;
  #tcp;
  #connections = new Set();
  #isDead = false;
  #asked = new Map();

  /** Listens on a port of an address, both protocols; 0 chooses one. Resolves with the port. */
  async listen(port = 0, address = '127.0.0.1') {
    this.#tcp = net.createServer((socket) => this.#serveTcp(socket));
    await new Promise((resolve, reject) => this.#tcp.once('error', reject).listen(port, address, resolve));
    const chosen = this.#tcp.address().port;
    this.#udp = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
    this.#udp.on('message', (message, from) => {
      const reply = this.#reply(message, 'udp');
      if (reply !== undefined) this.#udp.send(reply, from.port, from.address, () => {});
    });
    await new Promise((resolve, reject) => this.#udp.once('error', reject).bind(chosen, address, resolve));
    return chosen;
  }

  /** What it says of a name from now on. */
  set(name, says) {
    this.#zone.set(name, says);
  }

  /** Answers nothing at all, as a machine that is down. */
  die(isDead = true) {
    this.#isDead = isDead;
  }

  /** How often a name was asked for. */
  asked(name) {
    return this.#asked.get(name) ?? 0;
  }

  async close() {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([new Promise((done) => this.#udp.close(done)), new Promise((done) => this.#tcp.close(done))]);
  }

  /** Each message goes behind its length in two bytes. */
  #serveTcp(socket) {
    this.#connections.add(socket);
    let gathered = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (data) => {
      gathered = Buffer.concat([gathered, data]);
      while (gathered.length >= 2 && gathered.length >= 2 + gathered.readUInt16BE(0)) {
        const end = 2 + gathered.readUInt16BE(0);
        const reply = this.#reply(gathered.subarray(2, end), 'tcp');
        gathered = gathered.subarray(end);
        if (reply === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  }

  #reply(message, protocol) {
    const question = readQuestion(message);
    this.#asked.set(question.name, (this.#asked.get(question.name) ?? 0) + 1);
    if (this.#isDead) return undefined;
    const says = this.#zone.get(question.name);
    if (says === undefined) return answer(question, { rcode: RCODES.nxdomain });
    const ofType = says[question.type];
    const own = Array.isArray(ofType) || ofType === undefined ? says : { ttl: says.ttl, ...ofType };
    return this.#say(question, own, protocol);
  }

  #say(question, says, protocol) {
    const { ttl = 60 } = says;
    const addresses = Array.isArray(says[question.type]) ? says[question.type] : [];
    const recordsOf = (name) => addresses.map((data) => ({ name, type: question.type, ttl, data }));
    const alias = (name, data) => ({ name, type: 'CNAME', ttl, data });
    const { name } = question;
    if (says.rcode !== undefined) return answer(question, { rcode: RCODES[says.rcode] });
    switch (says.does) {
      case undefined:
        return answer(question, { records: recordsOf(name) });
      case 'nothing':
        return undefined;
      case 'garbage':
        return Buffer.concat([answer(question, {}).subarray(0, 2), randomBytes(60)]);
      case 'strangeId':
        return answer({ ...question, id: question.id ^ 0x5555 }, { records: recordsOf(name) });
      case 'otherName':
        return answer(question, { records: recordsOf('other.example') });
      case 'loop':
        return answer(question, { records: [alias(name, 'loop.example'), alias('loop.example', name)] });
      case 'alias':
        return answer(question, { records: [alias(name, says.to), ...recordsOf(says.to)] });
      case 'truncate':
        if (protocol === 'udp') return answer(question, { truncated: true });
        return answer(question, { records: recordsOf(name) });
      case 'random': {
        const drawn = Array.from({ length: says.count }, () => randomAddress(question.type));
        return answer(question, { records: drawn.map((data) => ({ name, type: question.type, ttl, data })) });
      }
      case 'truncateOnly':
        return protocol === 'udp' ? answer(question, { truncated: true }) : undefined;
      default:
        throw new Error(`there is no way to say ${says.does}`);
    }
  }
}

function randomAddress(type) {
  const [a, b, c, d] = randomBytes(4);
  const hex = (high, low) => ((high << 8) | low).toString(16);
  return type === 'A' ? `198.${18 + (a & 1)}.${b}.${c}` : `2001:db8::${hex(a | 1, b)}:${hex(c | 1, d)}`;
}
