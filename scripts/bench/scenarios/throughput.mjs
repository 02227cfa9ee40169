/**
 * Whole knocks from ever new sources, faster than they are asked for, with the daemon stopped (SIGSTOP) for four seconds
 * in the middle. At the end each source must have a live grant in the kernel, a line in the journal and a record.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wire } from '../../lib/namespaces.mjs';
import { monotonic, packetsCome, startFlood } from '../load/machines.mjs';
import { memory, processorTime } from '../load/processes.mjs';
import { fill, meta, readRecords, userChange } from '../load/seed.mjs';
import { WatchedGateway } from '../load/watched-gateway.mjs';

const KNOCKS = [21234, 28111, 24711];
const CONFIG = 'services: {sip: [udp/5060]}';
const GOAL = 2000;
/** Above the goal, so that what piled up can be made up for. */
const RATE = 2200;
const STOPPED_MS = 4000;
const POLL_MS = 50;
const DRAIN_BOUND_MS = 60_000;
const FIRST_SOURCE = '100.64.0.0';
/** So many others knock between two packets of one: some 20 ms. */
const GAP = 44;
/** Nothing waits any more when no more is open than what comes within so many milliseconds. */
const LEVEL_MS = 250;

export const scenario = {
  id: 'throughput',
  title: 'Completed knocks from distinct sources, each granted and recorded',
  minutes: 1,
  async run({ quick, progress }) {
    const wire = Wire.create('spflow', ['gateway', 'laptop']);
    try {
      return await measure(wire, { count: RATE * (quick ? 8 : 18), progress });
    } finally {
      wire.remove();
    }
  },
};

async function measure(wire, { count, progress }) {
  const [gateway, laptop] = wire.machines;
  const daemon = new WatchedGateway(gateway, join(wire.directory, 'sallyport'), CONFIG);
  const knock = KNOCKS.map((port) => `udp/${port}`).join(',');
  const crowd = { id: 1, sequenceId: 2, name: 'crowd', services: ['sip'], knock, maxAddresses: 1_000_000 };
  await fill(daemon.stateDirectory, [await userChange(crowd), ...meta(2)]);
  await daemon.start();
  const flood = await startFlood(laptop, gateway);
  progress.part('warming up');
  const knocks = (first, howMany, rate, onNews) =>
    flood.ask(
      { kind: 'knocks', knocks: KNOCKS, count: howMany, rate, sources: { first, count: howMany }, gap: GAP },
      onNews,
    );
  await knocks('100.127.0.0', 200, 400);
  const before = await settled(daemon);

  progress.part(`${count} knocks at ${RATE} a second`);
  const [cpu, packets, start] = [processorTime(daemon.pid), await packetsCome(gateway), monotonic()];
  const sent = [{ at: start, count: 0 }];
  const recorded = [{ at: start, count: 0 }];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      recorded.push({ count: (await lastEvent(daemon)) - before, at: monotonic() });
      await sleep(POLL_MS);
    }
  })();
  const sending = knocks(FIRST_SOURCE, count, RATE, (news) => {
    sent.push({ at: news.at, count: news.sent });
    progress.step(news.sent, count);
  });
  const stopped = await stopInTheMiddle(daemon, (count / RATE) * 1000);
  const end = await sending;
  sent.push({ at: end.at, count: end.sent });
  progress.part('waiting for the last to be recorded');
  await drained(recorded, count);
  isOver = true;
  await watching;

  const done = recorded.find((one) => one.count >= count) ?? recorded.at(-1);
  const [busy, come] = [processorTime(daemon.pid), await packetsCome(gateway)];
  const { now: rss } = memory(daemon.pid);
  progress.part('counting grants, records and journal');
  const lost = await missing(daemon, gateway, count);
  const holds = {
    before: daemon.longestHold(start, stopped.from),
    after: daemon.longestHold(stopped.to + 1000, done.at),
  };
  const catchUp = daemon.longestHold(stopped.to + 200, stopped.to + 1000);
  await daemon.end();
  return result({
    count,
    lost,
    rss,
    holds: [holds.before, holds.after, catchUp],
    dropped: come.dropped - packets.dropped,
    cpu: { user: busy.user - cpu.user, system: busy.system - cpu.system },
    rate: (Math.min(count, done.count) / (done.at - start)) * 1000,
    drain: drainTime(sent, recorded, stopped),
    stopped: { from: stopped.from - start, to: stopped.to - start },
    sent: sent.map((one) => ({ ...one, at: one.at - start })),
    recorded: recorded.map((one) => ({ ...one, at: one.at - start })),
  });
}

/** Stops the daemon for four seconds, a third into the run. */
async function stopInTheMiddle(daemon, length) {
  await sleep(Math.max(1500, (length - STOPPED_MS) / 3));
  const from = monotonic();
  process.kill(daemon.pid, 'SIGSTOP');
  try {
    await sleep(STOPPED_MS);
  } finally {
    process.kill(daemon.pid, 'SIGCONT');
  }
  return { from, to: monotonic() };
}

/** The number of the last event in the journal, which is on the disk. */
async function lastEvent(daemon) {
  const [last] = await daemon.api('GET', '/v1/journal?limit=1');
  return last?.seq ?? 0;
}

/** The number of the last event once no more come. */
async function settled(daemon) {
  for (let last = -1; ; ) {
    const seen = await lastEvent(daemon);
    if (seen === last) return seen;
    last = seen;
    await sleep(500);
  }
}

async function drained(recorded, count) {
  for (const end = monotonic() + DRAIN_BOUND_MS; monotonic() < end; await sleep(POLL_MS)) {
    if (recorded.at(-1).count >= count) return;
  }
}

/** From the moment that it goes on until what is recorded has come up with what was sent; null where it never did. */
function drainTime(sent, recorded, stopped) {
  const sentBy = (at) => sent.findLast((one) => one.at <= at)?.count ?? 0;
  const level = recorded.find(({ at, count }) => at > stopped.to && count >= sentBy(at - LEVEL_MS));
  return level === undefined ? null : level.at - stopped.to;
}

/** How many sources lack what they should have: in the kernel, in the store, in the journal, and in any of them. */
async function missing(daemon, gateway, count) {
  const [a, b] = FIRST_SOURCE.split('.');
  const sources = Array.from({ length: count }, (_, n) => `${a}.${Number(b) + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`);
  const listing = await gateway.mustRun('nft', ['list', 'set', 'inet', 'sallyport', 'grant_sip_4']);
  const inKernel = new Set(
    [...listing.matchAll(/(\d+\.\d+\.\d+\.\d+) timeout \S+ expires/g)].map(([, address]) => address),
  );
  const { grants, events } = await readRecords(daemon.stateDirectory);
  const inStore = new Set(grants.map(({ grant }) => grant.target));
  const opened = events.filter(({ event }) => event === 'grant.opened');
  const inJournal = new Set(opened.map(({ address }) => address));
  const without = (set) => sources.filter((source) => !set.has(source)).length;
  return {
    kernel: without(inKernel),
    store: without(inStore),
    journal: without(inJournal),
    any: sources.filter((one) => !(inKernel.has(one) && inStore.has(one) && inJournal.has(one))).length,
    twice: opened.length - inJournal.size,
  };
}

function result(run) {
  const { count, lost, drain, holds, cpu, rate } = run;
  const seconds = 1000;
  const figures = [
    {
      id: 'throughput-rate',
      title: 'Knocks answered and recorded, the four seconds of standstill included',
      value: Math.round(rate),
      unit: 'knocks/s',
      goal: { least: GOAL },
    },
    {
      id: 'throughput-lost',
      title: 'Sources without a live grant, a journal line or a record',
      value: lost.any,
      unit: `of ${count}`,
      goal: { most: 0 },
    },
    {
      id: 'throughput-twice',
      title: 'Knocks that were answered twice',
      value: lost.twice,
      unit: '',
      goal: { most: 0 },
    },
    {
      id: 'throughput-drain',
      title: 'From going on after four seconds of standstill until nothing waits',
      value: drain === null ? null : Math.round(drain) / seconds,
      unit: 's',
    },
    {
      id: 'throughput-hold',
      title: 'Longest time that the event loop was held, the standstill left out',
      value: Math.round(Math.max(...holds.map(({ own }) => own))),
      unit: 'ms',
      goal: { most: 50 },
      compared: `${Math.round(Math.max(...holds.map(({ all }) => all)))} ms with what it waited for a processor`,
    },
    {
      id: 'throughput-cpu',
      title: 'CPU of the daemon for a knock, opened, recorded and logged',
      value: Math.round(((cpu.user + cpu.system) / count) * 1e6),
      unit: 'µs',
    },
  ];
  const ends = Math.ceil(Math.max(run.sent.at(-1).at, run.recorded.at(-1).at) / seconds);
  const points = Array.from({ length: ends * 4 + 1 }, (_, n) => (n / 4) * seconds);
  const curve = (samples) => points.map((at) => Math.min(count, countAt(samples, at)));
  return {
    figures,
    samples: run,
    notes: [
      `${count} sources knocked once each, three packets a knock, ${RATE} knocks a second, on a machine with ${cpus().length} processors; the daemon was stopped ${(run.stopped.from / seconds).toFixed(1)} s after the start.`,
      `Without a grant in the kernel: ${lost.kernel}; without a record: ${lost.store}; without a line in the journal: ${lost.journal}.`,
      ...(run.dropped > 0 ? [`The host dropped ${run.dropped} packets before the gateway saw them.`] : []),
    ],
    plots: [
      {
        id: 'throughput-run',
        title: 'Knocks sent and recorded; the daemon stands still for four seconds',
        kind: 'line',
        unit: 'knocks',
        series: [
          { name: 'completed', values: curve(run.sent) },
          { name: 'granted and recorded', values: curve(run.recorded) },
        ],
        labels: points.map((at) => String(at / seconds)),
        across: 'seconds',
      },
    ],
  };
}

/** Between two looks the count is taken to rise evenly. */
function countAt(samples, at) {
  const next = samples.findIndex((one) => one.at > at);
  if (next < 0) return samples.at(-1).count;
  const [from, to] = [samples[next - 1], samples[next]];
  if (from === undefined) return 0;
  return Math.round(from.count + ((to.count - from.count) * (at - from.at)) / (to.at - from.at));
}
