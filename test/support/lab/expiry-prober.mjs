/*
 * Asks at a guarded UDP port from very many addresses, each around the end of its own grant. The source port tells which
 * probe it is, so that whoever counts behind the rules knows when what he sees was sent.
 *
 *   standard input:  { mac, destination, port, firstPort, offsets: ms[], ends: [address, ms of the wall clock][] }
 *   standard output: for each end, for each offset, [just before, just after] it was sent, in ms from that end
 */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCard } from './raw-sender.mjs';

const { mac, destination, port, firstPort, offsets, ends } = JSON.parse(await text(process.stdin));
const card = openCard(mac);
// One clock that nobody sets meanwhile.
const origin = Date.now() - performance.now();
const now = () => origin + performance.now();

/** IPv4 and UDP (RFC 791, RFC 768), without a checksum in UDP, which is allowed. */
const bytes = Buffer.alloc(28);
bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17], 0);
bytes.set(destination.split('.').map(Number), 16);
bytes.writeUInt16BE(port, 22);
bytes.writeUInt16BE(8, 24);

function probe(address, index) {
  bytes.set(address.split('.').map(Number), 12);
  bytes.writeUInt16BE(firstPort + index, 20);
  bytes.writeUInt16BE(0, 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  bytes.writeUInt16BE(~sum & 0xffff, 10);
  if (!card.send(bytes)) throw new Error('a probe did not leave');
}

const plan = ends.flatMap(([, end], source) => offsets.map((offset, index) => ({ at: end + offset, source, index })));
plan.sort((a, b) => a.at - b.at);
const sent = ends.map(() => new Array(offsets.length));
for (const { at, source, index } of plan) {
  while (now() < at) await sleep(Math.max(1, at - now()));
  const [address, end] = ends[source];
  const before = now() - end;
  probe(address, index);
  sent[source][index] = [before, now() - end].map((ms) => Math.round(ms * 10) / 10);
}
card.close();
process.stdout.write(JSON.stringify(sent));
