/*
 * DNS messages, RFC 1035, section 4, as far as a test's own server needs them.
 *
 *   header    id (2) | flags (2) | questions, answers, authorities, additionals (2 each)
 *   question  name | type (2) | class (2)
 *   record    name | type (2) | class (2) | ttl (4) | length (2) | data
 *   name      length (1) | label, again and again, then 0
 */
import net from 'node:net';

export const TYPES = { A: 1, CNAME: 5, AAAA: 28 };
export const RCODES = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 };

const HEADER = 12;
const [RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION] = [0x8000, 0x0400, 0x0200, 0x0080];

/** The question of a query, and its bytes as they came. */
export function readQuestion(message) {
  const labels = [];
  let at = HEADER;
  while (message[at] !== 0) {
    const length = message[at];
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = Object.keys(TYPES).find((name) => TYPES[name] === message.readUInt16BE(at + 1));
  return {
    id: message.readUInt16BE(0),
    name: labels.join('.').toLowerCase(),
    type,
    bytes: message.subarray(HEADER, at + 5),
  };
}

/** @param records `{ name, type, ttl, data }`: data is an address, or the name that an alias stands for */
export function answer({ id, bytes }, { rcode = 0, records = [], truncated = false }) {
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RESPONSE | AUTHORITATIVE | RECURSION | (truncated ? TRUNCATED : 0) | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, bytes, ...records.map(record)]);
}

function record({ name, type, ttl, data }) {
  const fixed = Buffer.alloc(10);
  const bytes = type === 'CNAME' ? nameBytes(data) : addressBytes(data);
  fixed.writeUInt16BE(TYPES[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(bytes.length, 8);
  return Buffer.concat([nameBytes(name), fixed, bytes]);
}

export function nameBytes(name) {
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function addressBytes(address) {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head, tail] = address.split('::');
  const groups = (text) => (text ? text.split(':') : []);
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...new Array(zeros).fill('0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
