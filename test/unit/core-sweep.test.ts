import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PortSpan, Protocol } from '../../src/core/ports.ts';
import { drawSequence, formatSequence, type Knock, type Sequence } from '../../src/core/sequence.ts';
import { keepingTheRules, knock, seededRandom, span } from '../support/core-arbitraries.ts';

import { completedBy, executorOf, LAPTOP, numbered, SOURCES } from '../support/knocking.ts';

describe('a sweep of the pool opens nothing', () => {
  const KINDS = ['tcp', 'udp', 'tcp and udp', 'udp and tcp'] as const;

  /** Every port of the pool with every protocol named: upwards, downwards, and by turns; each three times over. */
  function sweeps(pool: PortSpan, kind: (typeof KINDS)[number]): Knock[][] {
    const protocols = kind.split(' and ') as Protocol[];
    const up: Knock[] = [];
    for (let port: number = pool.first; port <= pool.last; port++) {
      for (const protocol of protocols) up.push(knock(protocol, port));
    }
    const down: Knock[] = [];
    for (let port: number = pool.last; port >= pool.first; port--) {
      for (const protocol of protocols) down.push(knock(protocol, port));
    }
    return [
      [...up, ...up, ...up],
      [...down, ...down, ...down],
      [...up, ...down, ...up],
    ];
  }

  function found(sequences: readonly Sequence[], swept: readonly Knock[][]): number[] {
    const { executor } = executorOf(numbered(sequences));
    return swept.flatMap((sweep, i) => sweep.flatMap((one) => completedBy(executor, SOURCES[i] ?? LAPTOP, one) ?? []));
  }

  function hundredUsers(seed: number, pool: PortSpan): Sequence[] {
    const random = seededRandom(seed);
    const all: Sequence[] = [];
    for (let i = 0; i < 100; i++) all.push(drawSequence(random, 2 + random(7), pool, all));
    return all;
  }

  it.each(KINDS)('up or down, three times over, by %s, for 100 random users', (kind) => {
    const pool = span(21000, 21300);
    const swept = sweeps(pool, kind);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(found(hundredUsers(seed, pool), swept)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('whole and of the usual size, for 100 random users', () => {
    const pool = span(21000, 29999);
    expect(found(hundredUsers(100, pool), sweeps(pool, 'tcp and udp'))).toEqual([]);
  });

  it('for any sequence that the rules allow in a tiny pool, up to three knocks', () => {
    const pool = span(21000, 21006);
    const swept = KINDS.flatMap((kind) => sweeps(pool, kind));
    const knocks = sweeps(pool, 'tcp and udp')[0]?.slice(0, 14) ?? [];
    const shorter = knocks.flatMap((a) => knocks.map((b) => [a, b]));
    const longer = shorter.flatMap((two) => knocks.map((c) => [...two, c]));
    const allowed = [...shorter, ...longer].filter((sequence) => keepingTheRules([sequence], pool).length === 1);
    expect(allowed.length).toBeGreaterThan(100);
    for (const sequence of allowed) expect(found([sequence], swept), formatSequence(sequence)).toEqual([]);
  });
});
