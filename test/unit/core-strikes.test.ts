import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Address, network64, networkTarget, parseAddress, parseTarget } from '../../src/core/address.ts';
import { compileSteps, type State, type StepKey } from '../../src/core/knock/automaton.ts';
import { KnockExecutor } from '../../src/core/knock/executor.ts';
import { Strikes } from '../../src/core/knock/strikes.ts';
import { formatKnock, type Knock, type Sequence } from '../../src/core/sequence.ts';
import { type Monotonic, millis, minutes, seconds } from '../../src/core/time.ts';
import { address, knock, tinyKnock, tinySequences } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { completedBy, LAPTOP, numbered, slowly, WINDOW } from '../support/knocking.ts';
import { nuisance, SlowReference } from '../support/slow-reference.ts';

const LIMIT = { wrong: 20, per: minutes(1), ignoreFor: minutes(10) };
const [A, B, C, WRONG] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5), knock('tcp', 7)];

/** Sources of both families, two of them in one /64 and one in the next. */
const CROWD: readonly Address[] = [
  '203.0.113.7',
  '203.0.113.8',
  '2001:db8::7',
  '2001:db8::1:0:0:7',
  '2001:db8:0:1::7',
  '2001:db8:0:1:8000::7',
].map(parseAddress);

function executorWith(sequences: readonly Sequence[], strikes = LIMIT, struckCapacity?: number) {
  const clock = new FakeClock();
  const steps = compileSteps(numbered(sequences));
  const room = struckCapacity === undefined ? {} : { struckCapacity };
  return { clock, executor: new KnockExecutor({ clock, window: WINDOW, steps, strikes, ...room }) };
}

/** So many wrong packets; what the last one brought. */
function annoy(executor: KnockExecutor, times: number, source = LAPTOP) {
  let verdict: ReturnType<KnockExecutor['packet']>;
  for (let n = 0; n < times; n++) verdict = executor.packet(source, WRONG);
  return verdict;
}

describe('strikes', () => {
  it('a source is ignored from the packet on that crosses the line, and heard again when its time is over', () => {
    const { clock, executor } = executorWith([[A, B, C]]);
    expect(annoy(executor, 19)).toBeUndefined();
    expect(executor.ignored()).toEqual([]);
    expect(annoy(executor, 1)).toEqual({ kind: 'struck', source: LAPTOP });
    expect(executor.ignored()).toEqual([{ target: LAPTOP, remaining: LIMIT.ignoreFor }]);
    clock.advance(millis(LIMIT.ignoreFor - 1));
    // Not even packets that go on coming make it longer.
    for (const one of [A, B, C, WRONG]) expect(executor.packet(LAPTOP, one)).toBeUndefined();
    clock.advance(millis(1));
    expect(executor.ignored()).toEqual([]);
    expect([A, B, C].map((one) => completedBy(executor, LAPTOP, one))).toEqual([undefined, undefined, 1]);
  });

  it('right packets and their repeats are never counted', () => {
    const { clock, executor } = executorWith([[A, B, C]]);
    for (let n = 0; n < 100; n++) {
      clock.advance(millis(10));
      for (const one of [A, A, B, A, B]) executor.packet(LAPTOP, one);
      expect(completedBy(executor, LAPTOP, C)).toBe(1);
    }
  });

  it('a wrong packet is counted that is also the first of a sequence, and the one that crosses begins none', () => {
    const { executor } = executorWith([[A, B, C]], { ...LIMIT, wrong: 3 });
    // A, then A B A… where A is a repeat; C is wrong, and so is B after it.
    for (const one of [A, C, A]) expect(executor.packet(LAPTOP, one)).toBeUndefined();
    expect(executor.packet(LAPTOP, C)).toBeUndefined();
    expect(executor.packet(LAPTOP, B)).toEqual({ kind: 'struck', source: LAPTOP });
    expect(executor.size).toBe(0);
  });

  it('the count begins anew with the first wrong packet after its time, however late the others came', () => {
    const { clock, executor } = executorWith([]);
    annoy(executor, 1);
    clock.advance(millis(LIMIT.per - 1));
    annoy(executor, 18);
    clock.advance(millis(1));
    expect(annoy(executor, 19)).toBeUndefined();
    clock.advance(millis(LIMIT.per - 1));
    expect(annoy(executor, 1)).toMatchObject({ kind: 'struck' });
  });

  it('an IPv6 source is counted and ignored by its /64, an IPv4 one alone', () => {
    const { executor } = executorWith([[A, B, C]]);
    for (let n = 0; n < 20; n++) executor.packet(parseAddress(`2001:db8::${n + 1}`), WRONG);
    for (let n = 0; n < 20; n++) executor.packet(parseAddress(`203.0.113.${n + 1}`), WRONG);
    expect(executor.ignored().map(({ target }) => target)).toEqual(['2001:db8::/64']);
    const last = (source: string) => [A, B, C].map((one) => completedBy(executor, parseAddress(source), one)).at(-1);
    expect(last('2001:db8::ffff')).toBeUndefined();
    expect(last('2001:db8:0:1::1')).toBe(1);
    expect(last('203.0.113.1')).toBe(1);
  });

  it.each([
    ['203.0.113.7', ['2001:db8::/64']],
    ['203.0.113.0/28', ['2001:db8::/64']],
    ['203.0.113.8', ['2001:db8::/64', '203.0.113.7']],
    ['2001:db8::abcd', ['203.0.113.7']],
    ['2001:db8::/64', ['203.0.113.7']],
    ['2001:db8::4000/114', ['203.0.113.7']],
    ['2001:db8::/32', ['203.0.113.7']],
    ['2001:db8:0:1::/64', ['2001:db8::/64', '203.0.113.7']],
    ['::/0', ['203.0.113.7']],
    ['0.0.0.0/0', ['2001:db8::/64']],
  ])('forgiving %s leaves %s ignored', (target, left) => {
    const { executor } = executorWith([[A, B, C]]);
    annoy(executor, 20, parseAddress('2001:db8::7'));
    annoy(executor, 20);
    executor.forgive([parseTarget(target)]);
    expect(executor.ignored().map((one) => one.target)).toEqual(left);
    const knocked = [A, B, C].map((one) => completedBy(executor, LAPTOP, one)).at(-1);
    expect(knocked).toBe(left.includes(LAPTOP) ? undefined : 1);
  });

  it('what is forgiven is counted from nothing', () => {
    const { executor } = executorWith([]);
    annoy(executor, 19);
    executor.forgive([LAPTOP]);
    expect(annoy(executor, 19)).toBeUndefined();
    expect(annoy(executor, 1)).toMatchObject({ kind: 'struck' });
  });

  it('memory is bounded: where the tables are full nobody new is counted, and those whose time is over make room', () => {
    const strikes = new Strikes({ wrong: 2, per: seconds(60), ignoreFor: seconds(100) }, 3);
    const nth = (n: number) => parseAddress(`10.0.0.${n}`);
    const at = (ms: number) => ms as Monotonic;
    for (let n = 1; n <= 5; n++) strikes.wrong(nth(n), at(n));
    expect([1, 2, 3, 4, 5].map((n) => strikes.wrong(nth(n), at(10)))).toEqual([
      ...[nth(1), nth(2), nth(3)],
      ...[undefined, undefined],
    ]);
    // 4 and 5 have taken the places of those who are ignored, and cannot be ignored themselves.
    expect([4, 5].map((n) => strikes.wrong(nth(n), at(11)))).toEqual([undefined, undefined]);
    expect(strikes.list(at(11)).map(({ target }) => target)).toEqual([nth(1), nth(2), nth(3)]);
    expect(strikes.wrong(nth(4), at(100_010))).toBeUndefined();
    expect(strikes.wrong(nth(4), at(100_011))).toBe(nth(4));
    expect(strikes.list(at(100_011)).map(({ target }) => target)).toEqual([nth(4)]);
  });

  it('the /64 of any IPv6 address is the network that the slow way gives', () => {
    fc.assert(
      fc.property(
        address.filter((one) => one.includes(':')),
        (one) => {
          expect(network64(one)).toBe(networkTarget(one, 64));
          expect(nuisance(one).split(':')).toHaveLength(4);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('any stream of packets, with time passing and strikes on or off,', () => {
  const gap = fc.oneof(
    { weight: 12, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.constantFrom(4999.5, 9999, 10_000, 10_001, 20_000, 60_000) },
  );
  const limit = fc.option(
    fc.record({
      wrong: fc.integer({ min: 1, max: 6 }),
      per: fc.constantFrom(seconds(1), seconds(10), seconds(60)),
      ignoreFor: fc.constantFrom(millis(500), seconds(15), seconds(60)),
    }),
    { freq: 4 },
  );
  const pieces = (sequences: readonly Sequence[]) =>
    fc.oneof(
      { weight: 5, arbitrary: tinyKnock.map((one): Knock[] => [one]) },
      { weight: 3, arbitrary: fc.constantFrom(...sequences).map((sequence) => [...sequence]) },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constantFrom(...sequences), fc.nat(3)).map(([one, length]) => one.slice(0, length)),
      },
    );
  const games = tinySequences.chain((sequences) =>
    fc.record({
      sequences: fc.constant(sequences),
      strikes: limit,
      stream: fc.array(fc.tuple(fc.constantFrom(...CROWD), pieces(sequences), gap, gap), {
        minLength: 15,
        maxLength: 40,
      }),
    }),
  );

  it('gets the verdicts of the slow reference from the executor', () => {
    const seen = { completed: 0, struck: 0 };
    fc.assert(
      fc.property(games, ({ sequences, strikes, stream }) => {
        const clock = new FakeClock();
        // Filled in place after it was handed over, as its owner does when users come and go.
        const steps = new Map<StepKey, State>();
        const executor = new KnockExecutor({ clock, window: WINDOW, steps, strikes });
        for (const [key, to] of compileSteps(numbered(sequences))) steps.set(key, to);
        const texts = sequences.map((one) => one.map(formatKnock));
        const reference = new SlowReference({ sequences: texts, window: WINDOW, strikes });
        for (const [source, knocks, before, between] of stream) {
          for (const [i, one] of knocks.entries()) {
            clock.advance(millis(i === 0 ? before : between));
            const at = clock.monotonic();
            const verdict = slowly(executor.packet(source, one));
            expect(verdict).toBe(reference.packet(source, formatKnock(one), at));
            if (verdict !== 'nothing') seen[verdict === 'struck' ? 'struck' : 'completed']++;
          }
        }
        const ignored = executor.ignored().map(({ target }) => nuisance(target.replace(/\/64$/, '')));
        expect(ignored.sort()).toEqual(reference.ignored(clock.monotonic()));
      }),
      { numRuns: 1000 },
    );
    expect(seen.completed).toBeGreaterThan(1000);
    expect(seen.struck).toBeGreaterThan(500);
  });
});
