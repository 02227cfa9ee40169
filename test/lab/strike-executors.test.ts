/**
 * Strikes: the kernel's rules, core's executor and the slow reference, given the same packets. The guard is put up from a
 * layout, without a daemon: what counts are the rules alone.
 */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress } from '#dist/core/address.js';
import type { GuardLayout } from '#dist/core/firewall.js';
import { compileSteps } from '#dist/core/knock/automaton.js';
import { KnockExecutor } from '#dist/core/knock/executor.js';
import type { StrikeLimit } from '#dist/core/knock/strikes.js';
import { parsePortSpan, toPort } from '#dist/core/ports.js';
import { parseSequence } from '#dist/core/sequence.js';
import { type Clock, hours, minutes, seconds } from '#dist/core/time.js';
import { underWay } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';
import { seededRandom } from '../support/lab/random.js';
import { nuisance, SlowReference } from '../support/slow-reference.js';

const GUARD = fileURLToPath(new URL('../support/lab/bare-guard.mjs', import.meta.url));
const SEQUENCES = [
  'tcp/21000,udp/21002,tcp/21004',
  'tcp/21000,udp/21002,udp/21006,tcp/21008',
  'udp/21004,tcp/21000,udp/21002',
  'udp/21004,tcp/21008',
];
const ALPHABET = steps('tcp/21000,udp/21002,tcp/21004,udp/21006,tcp/21008,udp/21004,tcp/21010,udp/21012');
const WINDOW = seconds(60);
const STREAMS = 200;
const LONGEST = 12;

function layout(strikes: StrikeLimit | null): GuardLayout {
  return {
    guarded: new Map(),
    onExpiry: 'cut',
    pool: parsePortSpan('21000-29999'),
    knocks: 'kernel',
    strikes,
    window: WINDOW,
    nflogGroup: 864,
    maxTtl: hours(12),
    ipv6Prefix: 128,
    policy: 'guard',
    trustedInterfaces: [],
    forwardFrom: [],
    openPorts: [],
    localPorts: parsePortSpan('32768-60999'),
  };
}

const LIMIT: StrikeLimit = { wrong: 3, per: minutes(10), ignoreFor: minutes(10) };

interface Sent {
  readonly source: string;
  readonly knock: { readonly protocol: 'tcp' | 'udp'; readonly port: number };
}

describe('strikes in the kernel, in core and in the slow reference', () => {
  let lab: Lab;
  let directory: string;

  beforeAll(async () => {
    lab = await Lab.create();
    directory = await mkdtemp(join(lab.directory, 'guard-'));
  });
  afterAll(() => lab?.destroy());

  async function guard(action: 'load' | 'read', strikes: StrikeLimit | null) {
    const input = JSON.stringify({ layout: layout(strikes), sequences: SEQUENCES });
    const { code, stdout, stderr } = await lab.gateway.exec(process.execPath, [GUARD, action, directory], { input });
    if (code !== 0) throw new Error(stderr);
    return stdout === '' ? undefined : (JSON.parse(stdout) as { completed: string[]; ignored: string[] });
  }

  const cases = [
    ['ipv4', null, 0x57a1],
    ['ipv6', null, 0x57a2],
    ['ipv4', LIMIT, 0x57a3],
    ['ipv6', LIMIT, Date.now() % 0x1_0000_0000],
  ] as const;

  it.for(cases)('come to the same over %s with strikes %o (seed %i)', async ([family, strikes, seed]) => {
    const next = seededRandom(seed);
    const rounds = draw(family, (bound) => Math.floor(next() * bound));
    const predicted = predict(rounds.flat(), strikes);
    expect(predicted.completed.length).toBeGreaterThan(STREAMS / 10);
    expect(predicted.ignored.length).toBeGreaterThan(strikes === null ? -1 : STREAMS / 10);

    await guard('load', strikes);
    for (const round of rounds) await send(lab, family, round);
    const found = await guard('read', strikes);
    expect({
      completed: found?.completed.sort(),
      ignored: found?.ignored.map((target) => nuisance(target.replace('/64', ''))).sort(),
      underWay: (await underWay(lab.gateway, family)).filter((source) => !isIgnored(predicted.ignored, source)).sort(),
    }).toEqual(predicted);
  });
});

/** What the packets come to, all of them at one moment: core's executor and the slow reference must agree on each. */
function predict(packets: readonly Sent[], strikes: StrikeLimit | null) {
  const numbered = SEQUENCES.map((text, i) => ({ sequenceId: i + 1, sequence: parseSequence(text) }));
  const clock = { monotonic: () => 1000, now: () => 1000 } as unknown as Clock;
  const executor = new KnockExecutor({ clock, window: WINDOW, steps: compileSteps(numbered), strikes });
  const reference = new SlowReference({ sequences: SEQUENCES.map((one) => one.split(',')), window: WINDOW, strikes });
  const completed = new Set<string>();
  for (const { source, knock } of packets) {
    const verdict = executor.packet(parseAddress(source), { protocol: knock.protocol, port: toPort(knock.port) });
    const slow = reference.packet(source, `${knock.protocol}/${knock.port}`, 1000);
    const fast =
      verdict === undefined ? 'nothing' : verdict.kind === 'struck' ? 'struck' : `completed ${verdict.sequenceId}`;
    expect(fast).toBe(slow);
    if (verdict?.kind === 'completed') completed.add(`${source} ${verdict.sequenceId}`);
  }
  const ignored = executor.ignored().map(({ target }) => nuisance(target.replace('/64', '')));
  expect(ignored.sort()).toEqual(reference.ignored(1000));
  const sources = [...new Set(packets.map(({ source }) => source))];
  const left = sources.filter((source) => !isIgnored(ignored, source) && reference.isUnderWay(source, 1000));
  return { completed: [...completed].sort(), ignored, underWay: left.sort() };
}

/** What one of a network had reached before the network was ignored may lie there still: nobody asks for it. */
function isIgnored(ignored: readonly string[], source: string): boolean {
  return ignored.includes(nuisance(source));
}

/**
 * Streams of pieces of sequences and of anything, a packet of each a round. Every second IPv6 source has its /64 in common with
 * the one before it, and begins when that one is through: packets of a round may arrive in any order.
 */
function draw(family: 'ipv4' | 'ipv6', random: (bound: number) => number): Sent[][] {
  const rounds: Sent[][] = Array.from({ length: 2 * LONGEST }, () => []);
  for (let n = 0; n < STREAMS; n++) {
    const isSecond = family === 'ipv6' && n % 2 === 1;
    const network = (n - (isSecond ? 1 : 0)).toString(16);
    const source = family === 'ipv4' ? `10.66.${n >> 8}.${n & 255}` : `fd66:0:0:${network}::${isSecond ? 2 : 1}`;
    const knocks: Sent['knock'][] = [];
    while (knocks.length < LONGEST) {
      const sequence = steps(SEQUENCES[random(SEQUENCES.length)] ?? '');
      for (const knock of sequence) {
        if (random(6) === 0) knocks.push(ALPHABET[random(ALPHABET.length)] ?? knock);
        if (random(6) === 0) knocks.push(knocks[random(knocks.length)] ?? knock);
        knocks.push(knock);
      }
      if (random(3) === 0) break;
    }
    for (const [i, knock] of knocks.slice(0, LONGEST).entries()) {
      rounds[i + (isSecond ? LONGEST : 0)]?.push({ source: canonical(source), knock });
    }
  }
  return rounds.filter((round) => round.length > 0);
}

function canonical(source: string): string {
  return parseAddress(source);
}

async function send(lab: Lab, family: 'ipv4' | 'ipv6', round: readonly Sent[]): Promise<void> {
  const destination = lab.gateway[family];
  const packets = round.map(({ source, knock }) => packet({ source, destination, ...knock }));
  const heard = await lab.gateway.received();
  await lab.laptop.raw(lab.gateway, packets);
  await eventually(
    () => lab.gateway.received(),
    (count) => count - heard >= packets.length,
  );
}
