/*
 * One of several senders of the same packets at the same time, each on a processor of its own: veth hands a packet over
 * on the processor that sent it, so that the rules run on all of them at once.
 *
 *   standard input: { mac, startAt, slot, packets: hex[], copies }
 *
 * At `startAt` milliseconds of the monotonic clock all begin with the first packet, a slot later with the second, and so
 * on: whoever is done with a packet early waits for the others.
 */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCard } from './raw-sender.mjs';

/** Milliseconds. */
const SPIN = 1.5;

const { mac, startAt, slot, packets, copies } = JSON.parse(await text(process.stdin));
const card = openCard(mac);
const datagrams = packets.map((hex) => Buffer.from(hex, 'hex'));
const now = () => Number(process.hrtime.bigint()) / 1e6;
let sent = 0;
let late = 0;
for (const [index, bytes] of datagrams.entries()) {
  const at = startAt + index * slot;
  // What was sent before is dealt with meanwhile: a processor's queue takes 1000 packets and drops what is more.
  await sleep(Math.max(0, at - now() - SPIN));
  if (now() > at) late++;
  while (now() < at) {
    // A sleep would end too inexactly.
  }
  for (let n = 0; n < copies; n++) if (card.send(bytes)) sent++;
}
card.close();
process.stdout.write(JSON.stringify({ sent, late }));
