import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSallyportError } from '../../src/core/errors.ts';
import type { PortSpan, Protocol } from '../../src/core/ports.ts';
import {
  canCarryCode,
  checkSequence,
  DEFAULT_SEQUENCE_LENGTH,
  drawSequence,
  formatKnock,
  formatSequence,
  LONGEST_SEQUENCE,
  parseSequence,
  type Sequence,
  SHORTEST_SEQUENCE,
  sameKnock,
} from '../../src/core/sequence.ts';
import { anyText, errorOf, knock, randomInt, seededRandom, span } from '../support/core-arbitraries.ts';

const POOL = span(21000, 29999);
const protocol = fc.constantFrom<Protocol>('tcp', 'udp');
const sequenceIn = (pool: PortSpan, maxLength = 10): fc.Arbitrary<Sequence> =>
  fc.array(
    fc.tuple(protocol, fc.integer({ min: pool.first, max: pool.last })).map(([proto, port]) => knock(proto, port)),
    { maxLength },
  );

/** The rules, one after the other, as a person would check them. */
function keepsTheRules(sequence: Sequence, pool: PortSpan, others: readonly Sequence[]): boolean {
  if (sequence.length < 2 || sequence.length > 8) return false;
  for (const { port } of sequence) if (port < pool.first || port > pool.last) return false;
  for (const [i, a] of sequence.entries()) {
    for (const b of sequence.slice(i + 1)) {
      const apart = Math.abs(a.port - b.port);
      if (apart < 2 || apart === pool.last - pool.first) return false;
    }
  }
  const text = `${formatSequence(sequence)},`;
  return !others.some((other) => {
    const its = `${formatSequence(other)},`;
    return its.startsWith(text) || text.startsWith(its);
  });
}

const accepted = (sequence: Sequence, pool: PortSpan, others: readonly Sequence[] = []) => {
  try {
    checkSequence(sequence, pool, others);
    return true;
  } catch (error) {
    if (isSallyportError(error, 'SP_SEQUENCE_INVALID')) return false;
    throw error;
  }
};

describe('a sequence as text', () => {
  it('reads back to the same', () => {
    fc.assert(
      fc.property(sequenceIn(span(1, 65535)), (sequence) => {
        fc.pre(sequence.length > 0);
        expect(parseSequence(formatSequence(sequence))).toEqual(sequence);
      }),
    );
    expect(parseSequence(' tcp/21234, udp/28111 ,tcp/24711')).toEqual([
      knock('tcp', 21234),
      knock('udp', 28111),
      knock('tcp', 24711),
    ]);
    expect(formatKnock(knock('udp', 28111))).toBe('udp/28111');
  });

  it.each([
    '',
    ',',
    'tcp/21234,',
    '21234',
    'tcp',
    'tcp/',
    'TCP/21234',
    'tcp/0',
    'tcp/65536',
    'tcp/021234',
    'tcp/1-2',
    'icmp/1',
    'tcp/1/2',
    'tcp/1;udp/2',
  ])('is refused where it is %j', (text) => {
    expect(errorOf(() => parseSequence(text)).code).toBe('SP_SEQUENCE_INVALID');
  });

  it('is never repeated by the error that refuses it', () => {
    const port = fc.integer({ min: 30000, max: 59999 }).map(String);
    const flawed = fc.oneof(
      port,
      port.map((one) => `tcp/${one},udp/${one}9`),
      port.map((one) => `tcp/${one},${one}`),
      port.map((one) => `tcp/${one}/udp/${one}`),
      port.map((one) => `sctp/${one}`),
      anyText(20).map((noise) => `tcp/30000,${noise}`),
    );
    const fixed = errorOf(() => parseSequence('')).fix;
    fc.assert(
      fc.property(flawed, (text) => {
        const error = errorOf(() => parseSequence(text));
        expect(error.fix).toBe(fixed);
        expect(error.cause).toBeUndefined();
        expect(error.message).toMatch(
          /^that knock sequence cannot be used: (each knock is tcp\/PORT or udp\/PORT|a port goes from 1 to 65535)$/,
        );
      }),
    );
  });
});

describe('the rules of a sequence', () => {
  it('hold exactly as they are written down', () => {
    const pool = span(21001, 21012);
    const wide = span(21000, 21013);
    fc.assert(
      fc.property(sequenceIn(wide, 5), fc.array(sequenceIn(pool, 4), { maxLength: 4 }), (sequence, candidates) => {
        const others = candidates.filter((one) => one.length > 0);
        expect(accepted(sequence, pool, others)).toBe(keepsTheRules(sequence, pool, others));
      }),
      { numRuns: 2000 },
    );
  });

  it('ask for 2 to 8 knocks', () => {
    const long = Array.from({ length: 9 }, (_, i) => knock('tcp', 21100 + 10 * i));
    expect(Array.from({ length: 10 }, (_, n) => accepted(long.slice(0, n), POOL))).toEqual([
      ...[false, false],
      ...new Array(7).fill(true),
      false,
    ]);
    expect([SHORTEST_SEQUENCE, LONGEST_SEQUENCE, DEFAULT_SEQUENCE_LENGTH]).toEqual([2, 8, 3]);
  });

  it('allow no neighbours, whatever lies between them and whatever their protocols', () => {
    expect(accepted([knock('tcp', 21500), knock('tcp', 23000), knock('udp', 21501)], POOL)).toBe(false);
    expect(accepted([knock('tcp', 21500), knock('udp', 21500)], POOL)).toBe(false);
    expect(accepted([knock('tcp', 21500), knock('tcp', 21502)], POOL)).toBe(true);
  });

  it('take the ends of the pool for neighbours, since a sweep goes from one to the other when it begins anew', () => {
    expect(accepted([knock('tcp', 29999), knock('tcp', 21000)], POOL)).toBe(false);
    expect(accepted([knock('udp', 21000), knock('tcp', 25000), knock('tcp', 29999)], POOL)).toBe(false);
    expect(accepted([knock('tcp', 29999), knock('tcp', 21001)], POOL)).toBe(true);
  });

  it("allow no beginning of another's sequence, and none that another's is the beginning of", () => {
    const [a, b, c, d] = [knock('tcp', 21100), knock('udp', 21200), knock('tcp', 21300), knock('tcp', 21400)];
    expect(accepted([a, b], POOL, [[a, b, c]])).toBe(false);
    expect(accepted([a, b, c], POOL, [[a, b]])).toBe(false);
    expect(accepted([a, b, c], POOL, [[a, b, c]])).toBe(false);
    expect(accepted([a, b, d], POOL, [[a, b, c]])).toBe(true);
    expect(accepted([b, a], POOL, [[a, b, c]])).toBe(true);
    expect(accepted([knock('udp', 21100), b], POOL, [[a, b, c]])).toBe(true);
  });

  it('are enforced without telling a port of the sequence', () => {
    fc.assert(
      fc.property(sequenceIn(span(30000, 30006), 9), sequenceIn(span(30000, 30006), 3), (sequence, other) => {
        fc.pre(!keepsTheRules(sequence, span(30000, 30006), [other]));
        for (const pool of [span(30000, 30006), POOL]) {
          const { message, fix } = errorOf(() => checkSequence(sequence, pool, [other]));
          const told = message.replace('the pool 21000-29999', '') + fix;
          expect(sequence.filter(({ port }) => told.includes(String(port)))).toEqual([]);
        }
      }),
    );
  });
});

describe('drawing a sequence', () => {
  it('keeps the rules, for every length and beside any others', () => {
    const length = fc.integer({ min: 2, max: 8 });
    fc.assert(
      fc.property(randomInt, fc.array(length, { minLength: 1, maxLength: 20 }), (random, lengths) => {
        const pool = span(21000, 21060);
        const drawn: Sequence[] = [];
        for (const one of lengths) {
          const sequence = drawSequence(random, one, pool, drawn);
          expect(sequence).toHaveLength(one);
          expect(keepsTheRules(sequence, pool, drawn)).toBe(true);
          drawn.push(sequence);
        }
      }),
    );
  });

  it('reaches every port and both protocols', () => {
    const random = seededRandom(7);
    const pool = span(21000, 21019);
    const seen = new Set<string>();
    for (let i = 0; i < 500; i++) for (const one of drawSequence(random, 3, pool, [])) seen.add(formatKnock(one));
    expect(seen.size).toBe(40);
  });

  it('ends in UDP, which can carry a pairing code, unless only TCP is heard', () => {
    const protocols = fc.constantFrom<readonly Protocol[]>(['tcp', 'udp'], ['udp', 'tcp'], ['udp'], ['tcp']);
    fc.assert(
      fc.property(randomInt, fc.integer({ min: 2, max: 8 }), protocols, (random, length, heard) => {
        const sequence = drawSequence(random, length, POOL, [], heard);
        expect(canCarryCode(sequence)).toBe(heard.includes('udp'));
        expect(sequence.every((one) => heard.includes(one.protocol))).toBe(true);
      }),
    );
  });

  it('gives up with an error where the pool has no room for another, and until then keeps the rules', () => {
    const pool = span(21000, 21003);
    const random = seededRandom(1);
    const drawn: Sequence[] = [];
    const error = errorOf(() => {
      for (;;) {
        const sequence = drawSequence(random, 2, pool, drawn);
        expect(keepsTheRules(sequence, pool, drawn)).toBe(true);
        drawn.push(sequence);
      }
    });
    expect(error.code).toBe('SP_SEQUENCE_INVALID');
    expect(error.message).toContain('widen knock.pool');
    // 21000 with 21002 and 21001 with 21003, both ways, the first TCP or UDP.
    expect(drawn).toHaveLength(8);
  });

  it.each([-1, 0, 1, 9, 100])('refuses a length of %i', (length) => {
    const others = [parseSequence('tcp/21234,udp/28111')];
    expect(errorOf(() => drawSequence(seededRandom(1), length, POOL, others)).code).toBe('SP_SEQUENCE_INVALID');
  });
});

it('knocks are the same where protocol and port are', () => {
  expect(sameKnock(knock('tcp', 5), knock('tcp', 5))).toBe(true);
  expect(sameKnock(knock('tcp', 5), knock('udp', 5))).toBe(false);
  expect(sameKnock(knock('tcp', 5), knock('tcp', 6))).toBe(false);
});
