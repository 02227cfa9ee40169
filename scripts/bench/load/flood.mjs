/*
 * Runs in the machine that sends. One JSON object a line on standard input is one flood; on standard output come lines of
 * how far it is, `{"sent", "at"}`, and one with `"done": true` at its end. `at` is the machine's monotonic clock in
 * milliseconds.
 *
 *   {kind: 'noise', packets, rate, sources: {first, count}, ports: {first, count}}     packets a second
 *   {kind: 'knocks', knocks: [...ports], count, rate, sources: {first, count}, gap}    whole knocks a second, each from
 *        the next source; `gap` knocks of others lie between two packets of one. `sent` counts the completed.
 *
 * It holds the rate over its whole length: what the host kept it from sending in time is made up for.
 */
import { createInterface } from 'node:readline';
import { BATCH, Datagrams, pause, toNumber } from './datagrams.mjs';

const PAUSE_US = 300;
const REPORT_MS = 50;
/** Coprime to any number of ports: a sweep that never meets neighbours in turn. */
const PORT_STRIDE = 7919;

const { target, mac } = JSON.parse(process.argv[2]);
const datagrams = new Datagrams({ target, mac });

for await (const line of createInterface({ input: process.stdin })) play(JSON.parse(line));

function play(job) {
  const { rate, packets, put, sent } = job.kind === 'noise' ? noise(job) : knocks(job);
  const start = now();
  let reported = start;
  for (let done = 0; done < packets; ) {
    const at = now();
    const due = Math.min(packets, Math.floor(((at - start) / 1000) * rate)) - done;
    if (at - reported >= REPORT_MS) {
      say({ sent: sent(done), at });
      reported = at;
    }
    if (due <= 0) {
      pause(PAUSE_US);
      continue;
    }
    let slots = 0;
    for (const end = done + Math.min(due, BATCH); done < end; done++) slots += put(slots, done) ? 1 : 0;
    if (slots > 0) datagrams.send(slots);
  }
  say({ sent: sent(packets), at: now(), done: true });
}

function noise({ packets, rate, sources, ports }) {
  const first = toNumber(sources.first);
  const put = (slot, n) => {
    datagrams.put(slot, first + (n % sources.count), ports.first + ((n * PORT_STRIDE) % ports.count));
    return true;
  };
  return { rate, packets, put, sent: (done) => done };
}

/** Every source begins one turn after the one before it, and goes on `gap` turns later. */
function knocks({ knocks: sequence, count, rate, sources, gap }) {
  const first = toNumber(sources.first);
  const length = sequence.length;
  const lag = (length - 1) * gap;
  const put = (slot, n) => {
    const step = n % length;
    const source = Math.floor(n / length) - step * gap;
    if (source < 0 || source >= count) return false;
    datagrams.put(slot, first + source, sequence[step]);
    return true;
  };
  const sent = (done) => Math.min(count, Math.max(0, Math.floor(done / length) - lag));
  return { rate: rate * length, packets: (count + lag) * length, put, sent };
}

function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
