import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSteps, completedSequence, START, stepKey } from '../../src/core/knock/automaton.ts';
import { chanceOfHit, countSequences, type Lock, reckonOdds } from '../../src/core/knock/odds.ts';
import { canCarryCode, checkSequence, formatSequence, type Knock, type Sequence } from '../../src/core/sequence.ts';
import { hours, minutes } from '../../src/core/time.ts';
import { keepingTheRules, knock, seededRandom, span } from '../support/core-arbitraries.ts';

const YEAR = 365 * 86_400;
const STRIKES = { wrong: 20, per: minutes(1), ignoreFor: minutes(10) };
const POOL = span(21000, 29999);

const lockOf = (users: readonly (readonly [number, number])[], change: Partial<Lock> = {}): Lock => ({
  pool: POOL,
  protocols: 2,
  strikes: STRIKES,
  users: new Map(users),
  ...change,
});

/** Every packet there is to a pool. */
function packetsTo(pool: Lock['pool'], protocols: 1 | 2): Knock[] {
  const ports = Array.from({ length: pool.last - pool.first + 1 }, (_, i) => pool.first + i);
  return ports.flatMap((port) => (protocols === 2 ? [knock('tcp', port), knock('udp', port)] : [knock('udp', port)]));
}

/** Every sequence of a length that keeps the rules, found by trying all. */
function everySequence(length: number, pool: Lock['pool'], protocols: 1 | 2): Sequence[] {
  let all: Sequence[] = [[]];
  for (let i = 0; i < length; i++) all = all.flatMap((one) => packetsTo(pool, protocols).map((next) => [...one, next]));
  return all.filter((sequence) => {
    try {
      checkSequence(sequence, pool, []);
      return true;
    } catch {
      return false;
    }
  });
}

/** Those that may be drawn. */
const everyDrawn = (...of: Parameters<typeof everySequence>) => everySequence(...of).filter(canCarryCode);

/** Whether a stream of packets from one source completes a sequence, by the automaton's own rules. */
function opens(stream: readonly Knock[], sequence: Sequence): boolean {
  const steps = compileSteps([{ sequenceId: 1, sequence }]);
  let state = START;
  for (const packet of stream) {
    const next = steps.get(stepKey(state, packet)) ?? steps.get(stepKey(START, packet)) ?? START;
    if (completedSequence(next) !== undefined) return true;
    state = next;
  }
  return false;
}

describe('the number of sequences', () => {
  it.each([
    [2, span(100, 103), 2],
    [2, span(100, 106), 1],
    [3, span(100, 105), 2],
    [3, span(100, 108), 1],
    [3, span(100, 104), 2],
    [4, span(100, 108), 1],
  ] as const)('of %i ports is what counting them gives', (length, pool, protocols) => {
    expect(countSequences(length, { pool, protocols })).toBe(everyDrawn(length, pool, protocols).length);
  });

  it('of three ports of the usual pool is about 2.9 million million', () => {
    expect(countSequences(3, lockOf([])) / 2.914e12).toBeCloseTo(1, 2);
  });
});

describe('a blind stream of packets from one source', () => {
  const pool = span(100, 105);
  const [pairs, triples] = [everySequence(2, pool, 2), everySequence(3, pool, 2)];
  const packet = fc.constantFrom(...packetsTo(pool, 2));

  it('opens no more sequences of a length than it has packets, repeats and all', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 12 }), (stream) => {
        for (const [all, length] of [
          [pairs, 2],
          [triples, 3],
        ] as const) {
          const opened = all.filter((sequence) => opens(stream, sequence)).length;
          expect(opened).toBeLessThanOrEqual(Math.max(0, stream.length - length + 1));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('opens one with nearly every packet where it repeats no guess', () => {
    const stream: Knock[] = [];
    const guessed = new Set<string>();
    const random = seededRandom(5);
    const [packets, wanted] = [packetsTo(pool, 2), 60];
    for (let tries = 0; stream.length < wanted && tries < 100_000; tries++) {
      const next = packets[random(packets.length)] as Knock;
      const guess = [...stream.slice(-1), next];
      const isGuess = guess.length < 2 || keepingTheRules([guess], pool).length === 1;
      if (!isGuess || guessed.has(formatSequence(guess))) continue;
      guessed.add(formatSequence(guess));
      stream.push(next);
    }
    expect(stream).toHaveLength(wanted);
    expect(pairs.filter((sequence) => opens(stream, sequence)).length).toBe(wanted - 1);
  });
});

describe('the chance of a hit', () => {
  it('is the share of all ways to give out sequences of which some guess hits one', () => {
    const pool = span(100, 103);
    const all = everyDrawn(2, pool, 2).map(formatSequence);
    for (const guesses of [0, 1, 3, 6, 8]) {
      const guessed = new Set(all.slice(0, guesses));
      let [hit, ways] = [0, 0];
      for (const [i, a] of all.entries()) {
        for (const b of all.slice(i + 1)) {
          ways++;
          if (guessed.has(a) || guessed.has(b)) hit++;
        }
      }
      expect(chanceOfHit(guesses, lockOf([[2, 2]], { pool }))).toBeCloseTo(hit / ways, 9);
    }
  });

  it('with one user is even when half of all sequences are guessed', () => {
    const lock = lockOf([[3, 1]], { strikes: null });
    const [alone] = reckonOdds(lock).attacks;
    expect((alone?.evenChanceAfter ?? 0) * (alone?.packetsPerSecond ?? 0)).toBeCloseTo(countSequences(3, lock) / 2, -9);
  });

  it('is even where it is said to be, whoever has which sequences', () => {
    const counts = fc.tuple(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 1, max: 50 }));
    const locks = fc.array(counts, { minLength: 1, maxLength: 3 }).map((users) => lockOf(users, { strikes: null }));
    fc.assert(
      fc.property(locks, (lock) => {
        const [attack] = reckonOdds(lock).attacks;
        const guesses = (attack?.evenChanceAfter ?? 0) * (attack?.packetsPerSecond ?? 0);
        expect(chanceOfHit(guesses, lock)).toBeCloseTo(0.5, 4);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the odds', () => {
  it('of a few users with three ports are good where strikes count, and come from 19 packets a minute', () => {
    const odds = reckonOdds(lockOf([[3, 3]]));
    expect([odds.isPoor, odds.goodLength]).toEqual([false, 3]);
    expect(odds.chancePerPacket * 2.914e12).toBeCloseTo(3, 1);
    const [alone, many] = odds.attacks;
    expect(alone?.packetsPerSecond).toBeCloseTo(19 / 60, 3);
    expect(many?.packetsPerSecond).toBeCloseTo(190_000 / 60, -1);
    expect(alone?.evenChanceAfter ?? 0).toBeGreaterThan(50_000 * YEAR);
    expect(many?.evenChanceAfter ?? 0).toBeGreaterThan(YEAR);
  });

  it('of very many users, of two ports, and without strikes are poor, and a port more mends that', () => {
    expect(reckonOdds(lockOf([[3, 10_000]]))).toMatchObject({ isPoor: true, goodLength: 4 });
    expect(reckonOdds(lockOf([[2, 1]]))).toMatchObject({ isPoor: true, goodLength: 3 });
    expect(reckonOdds(lockOf([[3, 1]], { strikes: null }))).toMatchObject({ isPoor: true, goodLength: 4 });
    expect(reckonOdds(lockOf([[4, 1]], { strikes: null }))).toMatchObject({ isPoor: false, goodLength: 4 });
  });

  it('of one user who is worse off than the rest ask for that one alone', () => {
    const odds = reckonOdds(
      lockOf([
        [4, 30],
        [2, 1],
      ] as const),
    );
    expect(odds).toMatchObject({ isPoor: true, goodLength: 3 });
    expect(odds.users.map(({ length, users }) => [length, users])).toEqual([
      [2, 1],
      [4, 30],
    ]);
  });

  it('of a tiny pool can be past mending', () => {
    expect(reckonOdds(lockOf([[2, 1]], { pool: span(21000, 21005) }))).toMatchObject({
      isPoor: true,
      goodLength: null,
    });
  });

  it('leave an attacker no more than strikes do, also one who goes over the line and waits', () => {
    const harmless = { wrong: 20, per: hours(1), ignoreFor: minutes(10) };
    const [alone] = reckonOdds(lockOf([[3, 1]], { strikes: harmless })).attacks;
    expect(alone?.packetsPerSecond).toBeCloseTo(20 / 600, 4);
  });

  it('of nobody are that nothing opens', () => {
    expect(reckonOdds(lockOf([]))).toMatchObject({ users: [], chancePerPacket: 0, isPoor: false });
  });
});
