import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '../../src/core/address.ts';
import { parseAddress } from '../../src/core/address.ts';
import { drawSequence, formatKnock, type Knock, type Sequence } from '../../src/core/sequence.ts';
import { millis } from '../../src/core/time.ts';
import { knock, seededRandom, span, tinyKnock, tinySequences } from '../support/core-arbitraries.ts';

import { completedBy, executorOf, LAPTOP, numbered, SOURCES, slowly, WINDOW } from '../support/knocking.ts';
import { SlowReference } from '../support/slow-reference.ts';

interface Packet {
  readonly source: Address;
  readonly one: Knock;
  readonly gap: number;
}

const gap = fc.oneof(
  { weight: 8, arbitrary: fc.nat(500) },
  { weight: 1, arbitrary: fc.constantFrom(9999, 10_000, 10_001, 4999.5, 20_000) },
);

/** Packets of which many are parts of the sequences, in order, with repeats and strays among them. */
const streamFor = (sequences: readonly Sequence[]): fc.Arbitrary<Packet[]> => {
  const pieces = fc.oneof(
    { weight: 2, arbitrary: tinyKnock.map((one) => [one]) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...sequences), fc.nat(4), fc.array(fc.nat(3), { maxLength: 3 }))
        .map(([sequence, length, repeats]) => {
          const part = sequence.slice(0, length);
          return part.flatMap((one, i) => [one, ...repeats.flatMap((each) => (each <= i ? (part[each] ?? []) : []))]);
        }),
    },
    { weight: 2, arbitrary: fc.constantFrom(...sequences).map((sequence) => [...sequence]) },
  );
  const piece = fc.tuple(fc.constantFrom(...SOURCES), pieces, fc.array(gap, { minLength: 4, maxLength: 4 }));
  return fc
    .array(piece, { maxLength: 14 })
    .map((all) =>
      all.flatMap(([source, knocks, gaps]) => knocks.map((one, i) => ({ source, one, gap: gaps[i % 4] ?? 0 }))),
    );
};

/** The sequences that a stream from one source completes, the packets 100 ms apart. */
function opened(sequences: readonly Sequence[], stream: readonly Knock[]): number[] {
  const { clock, executor } = executorOf(numbered(sequences));
  return stream.flatMap((one) => {
    clock.advance(millis(100));
    return completedBy(executor, LAPTOP, one) ?? [];
  });
}

describe('the automaton, packet by packet', () => {
  it('gives the verdicts of the slow reference, for any sequences and any packets from several sources', () => {
    const games = tinySequences.chain((sequences) => fc.tuple(fc.constant(sequences), streamFor(sequences)));
    let completions = 0;
    fc.assert(
      fc.property(games, ([sequences, stream]) => {
        const { clock, executor } = executorOf(numbered(sequences));
        const rules = { sequences: sequences.map((one) => one.map(formatKnock)), window: WINDOW, strikes: null };
        const reference = new SlowReference(rules);
        for (const { source, one, gap: wait } of stream) {
          clock.advance(millis(wait));
          const verdict = slowly(executor.packet(source, one));
          expect(verdict).toBe(reference.packet(source, formatKnock(one), clock.monotonic()));
          if (verdict !== 'nothing') completions++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(completions).toBeGreaterThan(500);
  });

  describe('a knock gets in', () => {
    const streams: Record<string, (a: Knock, b: Knock, c: Knock) => Knock[]> = {
      'A B C': (a, b, c) => [a, b, c],
      'A A B C': (a, b, c) => [a, a, b, c],
      'A B A C': (a, b, c) => [a, b, a, c],
      'A B B C': (a, b, c) => [a, b, b, c],
      'A B B A A B C': (a, b, c) => [a, b, b, a, a, b, c],
      'A B, then A B C': (a, b, c) => [a, b, a, b, c],
      'A, then A B C': (a, b, c) => [a, a, b, c],
      'every packet doubled': (a, b, c) => [a, a, b, b, c, c],
      'the whole twice': (a, b, c) => [a, b, c, a, b, c],
    };
    it.each(Object.keys(streams))('with %s, whoever else there is', (name) => {
      const others = fc.integer().map((seed) => {
        const random = seededRandom(seed);
        const all: Sequence[] = [];
        for (let i = 0; i < 20; i++) all.push(drawSequence(random, 3, span(21000, 21100), all));
        return all;
      });
      fc.assert(
        fc.property(others, fc.nat(19), (sequences, mine) => {
          const [a, b, c] = sequences[mine] ?? [];
          if (a === undefined || b === undefined || c === undefined) throw new Error('no sequence');
          const times = name === 'the whole twice' ? 2 : 1;
          const got = opened(sequences, streams[name]?.(a, b, c) ?? []);
          expect(got.filter((id) => id === mine + 1)).toHaveLength(times);
        }),
        { numRuns: 50 },
      );
    });
  });

  it('a wrong packet between two right ones starts it over', () => {
    const [a, b, c, x] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5), knock('tcp', 7)];
    expect(opened([[a, b, c]], [a, x, b, c])).toEqual([]);
    expect(opened([[a, b, c]], [a, b, x, c])).toEqual([]);
    expect(opened([[a, b, c]], [a, b, knock('udp', 5), c])).toEqual([]);
    expect(opened([[a, b, c]], [a, c, b])).toEqual([]);
    expect(opened([[a, b, c]], [c, b, a])).toEqual([]);
    expect(opened([[a, b, c]], [b, c])).toEqual([]);
  });

  it('a knock gets in that is begun anew after a wrong packet', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    expect(opened([[a, b, c]], [a, c, a, b, c])).toEqual([1]);
    expect(opened([[a, b, c]], [b, c, a, b, c])).toEqual([1]);
  });

  it('a wrong packet may itself be the first of a sequence', () => {
    const [a, b, c, x, y] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5), knock('tcp', 7), knock('tcp', 9)];
    expect(
      opened(
        [
          [a, b, c],
          [x, y],
        ],
        [a, b, x, y],
      ),
    ).toEqual([2]);
    expect(
      opened(
        [
          [a, b, c],
          [x, y],
        ],
        [x, a, b, c],
      ),
    ).toEqual([1]);
  });

  it('what was completed is forgotten: the last knock alone does not open again', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    expect(opened([[a, b, c]], [a, b, c, c, c, b, c])).toEqual([1]);
  });

  it('the window is the time between two packets, and a repeat refreshes it', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    const run = (packets: [Knock, number][]) => {
      const { clock, executor } = executorOf(numbered([[a, b, c]]));
      return packets.flatMap(([one, wait]) => {
        clock.advance(millis(wait));
        return completedBy(executor, LAPTOP, one) ?? [];
      });
    };
    expect(
      run([
        [a, 0],
        [b, 9999],
        [c, 9999],
      ]),
    ).toEqual([1]);
    expect(
      run([
        [a, 0],
        [b, 10_000],
        [c, 100],
      ]),
    ).toEqual([]);
    expect(
      run([
        [a, 0],
        [b, 100],
        [c, 10_000],
      ]),
    ).toEqual([]);
    expect(
      run([
        [a, 0],
        [a, 9000],
        [b, 9000],
        [a, 9000],
        [b, 9000],
        [c, 9000],
      ]),
    ).toEqual([1]);
  });

  it('sources do not help each other', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    const { executor } = executorOf(numbered([[a, b, c]]));
    const [one, other] = [parseAddress('203.0.113.7'), parseAddress('203.0.113.8')];
    expect([executor.packet(one, a), executor.packet(other, b), executor.packet(one, c)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    executor.packet(one, a);
    executor.packet(other, a);
    executor.packet(one, b);
    executor.packet(other, b);
    expect([completedBy(executor, one, c), completedBy(executor, other, c)]).toEqual([1, 1]);
  });
});

describe('the memory of sources', () => {
  const sequence = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
  const nth = (n: number) => parseAddress(`10.0.${n >> 8}.${n & 255}`);
  const [a, b, c] = sequence as [Knock, Knock, Knock];

  it('holds those who are on their way, and nobody whose packets were wrong or who has got in', () => {
    const { executor } = executorOf(numbered([sequence]));
    for (let n = 0; n < 50; n++) executor.packet(nth(n), knock('tcp', 7));
    expect(executor.size).toBe(0);
    for (let n = 0; n < 50; n++) executor.packet(nth(n), a);
    expect(executor.size).toBe(50);
    for (let n = 0; n < 50; n++) executor.packet(nth(n), b);
    expect(executor.size).toBe(50);
    expect(completedBy(executor, nth(0), c)).toBe(1);
    executor.packet(nth(1), knock('tcp', 7));
    expect(executor.size).toBe(48);
  });

  it('keeps the latest where there are too many, and a packet makes a source the latest', () => {
    const { executor } = executorOf(numbered([sequence]), 10);
    for (let n = 0; n < 10; n++) executor.packet(nth(n), a);
    executor.packet(nth(0), b);
    for (let n = 10; n < 19; n++) executor.packet(nth(n), a);
    expect(executor.size).toBe(10);
    expect(completedBy(executor, nth(0), c)).toBe(1);
    executor.packet(nth(1), b);
    expect(executor.packet(nth(1), c)).toBeUndefined();
  });

  it('lets go of those whose time is over', () => {
    const { clock, executor } = executorOf(numbered([sequence]), 1000);
    for (let n = 0; n < 100; n++) executor.packet(nth(n), a);
    clock.advance(WINDOW);
    executor.packet(nth(200), a);
    expect(executor.size).toBe(1);
  });
});
