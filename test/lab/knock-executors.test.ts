/** The kernel's automaton, core's, and a slow reference, given the same packets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress } from '#dist/core/address.js';
import { compileSteps } from '#dist/core/knock/automaton.js';
import { KnockExecutor } from '#dist/core/knock/executor.js';
import { toPort } from '#dist/core/ports.js';
import { parseSequence } from '#dist/core/sequence.js';
import { type Clock, seconds } from '#dist/core/time.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { KnockStep } from '../support/lab/host.js';
import { addWitness, answersTo, underWay } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';
import { seededRandom } from '../support/lab/random.js';
import { SlowReference } from '../support/slow-reference.js';

/** Sequences over a few ports, with shared beginnings and each other's knocks in them. */
const SEQUENCES = [
  'tcp/21000,udp/21002,tcp/21004',
  'tcp/21000,udp/21002,udp/21006,tcp/21008',
  'tcp/21000,tcp/21002,udp/21004',
  'udp/21004,tcp/21000,udp/21002',
  'udp/21004,tcp/21008',
  'udp/21006,tcp/21004,tcp/21000,udp/21008,udp/21002',
  'tcp/21004,udp/21002,tcp/21000',
] as const;
const ALPHABET = ['tcp', 'udp'].flatMap((protocol) =>
  [21000, 21002, 21004, 21006, 21008, 21010].map((port) => ({ protocol, port }) as KnockStep),
);
const STREAMS = 400;
const LONGEST = 10;

describe('the executors of the automaton and the slow reference', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'knock: {window: 60s, strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    await addWitness(daemon);
    for (const [index, knock] of SEQUENCES.entries()) {
      await daemon.addUser(`user${index}`, { knock, services: ['ssh'], max_addresses: 1000 });
    }
  });

  afterAll(() => lab?.destroy());

  it.each([
    ['ipv4', 0x5a11],
    ['ipv6', Date.now() % 0x1_0000_0000],
  ] as const)('come to the same verdicts on random packets over %s (seed %i)', async (family, seed) => {
    const many = await lab.manyAddresses(lab.laptop, family === 'ipv4' ? 88 : 89);
    const next = seededRandom(seed);
    const random = (bound: number) => Math.floor(next() * bound);
    const streams = Array.from({ length: STREAMS }, (_, i) => ({ source: many[family](i + 1), knocks: draw(random) }));
    const predicted = predict(streams);
    const unlucky = predicted.filter(({ users }) => users.length === 0).length;
    expect(unlucky).toBeGreaterThan(STREAMS / 10);
    expect(unlucky).toBeLessThan((STREAMS * 9) / 10);

    await sendInRounds(lab, lab.gateway[family], streams);
    const left = (await underWay(lab.gateway, family)).sort();
    expect(left).toEqual(
      predicted
        .filter(({ isUnderWay }) => isUnderWay)
        .map(({ source }) => source)
        .sort(),
    );
    const seen = await answersTo(
      streams.map(({ source }) => source),
      { from: lab.laptop, to: lab.gateway[family], daemon },
    );
    const verdict = (users: readonly string[], i: number) => `${spell(streams[i]?.knocks ?? [])}: ${users.join(' ')}`;
    expect(seen.map(verdict)).toEqual(predicted.map(({ users }) => users).map(verdict));
  });
});

/**
 * The first packet of each stream, then the second of each, and so on: a round leaves when the one before has arrived. Packets
 * of our own making, since a socket on a busy machine sends its SYN a second time.
 */
async function sendInRounds(
  lab: Lab,
  destination: string,
  streams: readonly { source: string; knocks: readonly KnockStep[] }[],
): Promise<void> {
  for (let round = 0; round < LONGEST; round++) {
    const packets = streams.flatMap(({ source, knocks }) => {
      const knock = knocks[round];
      return knock === undefined ? [] : [packet({ source, destination, ...knock })];
    });
    const heard = await lab.gateway.received();
    await lab.laptop.raw(lab.gateway, packets);
    await eventually(
      () => lab.gateway.received(),
      (count) => count - heard >= packets.length,
    );
  }
}

/**
 * Whom core's executor lets in from each source, and whether it is left on the way through a sequence; the slow reference must
 * say the same of each packet.
 */
function predict(streams: readonly { source: string; knocks: readonly KnockStep[] }[]) {
  const sequences = SEQUENCES.map((text, i) => ({ sequenceId: i + 1, sequence: parseSequence(text) }));
  const rules = { sequences: SEQUENCES.map((text) => text.split(',')), window: seconds(60), strikes: null };
  const clock = { monotonic: () => 1000, now: () => 1000 } as unknown as Clock;
  return streams.map(({ source, knocks }) => {
    const executor = new KnockExecutor({ clock, window: seconds(60), steps: compileSteps(sequences) });
    const reference = new SlowReference(rules);
    const completed = knocks.flatMap(({ protocol, port }) => {
      const verdict = executor.packet(parseAddress(source), { protocol, port: toPort(port) });
      const id = verdict?.kind === 'completed' ? verdict.sequenceId : undefined;
      const slow = reference.packet(source, `${protocol}/${port}`, 1000);
      expect(slow).toBe(id === undefined ? 'nothing' : `completed ${id}`);
      return id === undefined ? [] : [`user${id - 1}`];
    });
    expect(reference.isUnderWay(source, 1000)).toBe(executor.size > 0);
    return { source, users: [...new Set(completed)].sort(), isUnderWay: executor.size > 0 };
  });
}

/** Pieces of sequences with repeats and strangers between, so that many come near and some get through. */
function draw(random: (bound: number) => number): KnockStep[] {
  const knocks: KnockStep[] = [];
  while (knocks.length < 2 || (knocks.length < LONGEST && random(10) > 0)) {
    const sequence = steps(SEQUENCES[random(SEQUENCES.length)] ?? '');
    for (const knock of sequence.slice(random(2) * random(2))) {
      if (random(8) === 0) knocks.push(ALPHABET[random(ALPHABET.length)] ?? knock);
      if (random(5) === 0) knocks.push(knocks[random(knocks.length)] ?? knock);
      if (random(12) > 0) knocks.push(knock);
    }
  }
  return knocks.slice(0, LONGEST);
}

function spell(knocks: readonly KnockStep[]): string {
  return knocks.map(({ protocol, port }) => `${protocol}/${port}`).join(' ');
}
