import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Address, familyOf, neverAllowed, parseAddress } from '../../src/core/address.ts';
import type { FamilyAnswer, Lookup } from '../../src/core/names/lookup.ts';
import type { ResolvedName } from '../../src/core/names/name-entry.ts';
import { NameTracker } from '../../src/core/names/tracker.ts';
import { between, days, hours, type Instant, millis, minutes, seconds } from '../../src/core/time.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { both, EMPTY, failed, found, HOME, NXDOMAIN } from '../support/names.ts';

const [A, B, C] = ['203.0.113.7', '203.0.113.8', '203.0.113.9'] as const;
const [A6, B6] = ['2001:db8::7', '2001:db8::8'] as const;
const OWN = '198.51.100.1';
const own = new Set([parseAddress(OWN)]);

let clock: FakeClock;

function trackerOf(kept?: Partial<ResolvedName>, maxAddresses = 16): NameTracker {
  const rules = { nxdomainAfter: days(1), maxAddresses, refusal: (one: Address) => neverAllowed(one, own) };
  const whole = kept && { name: HOME, addresses: [], resolvedAt: null, missingSince: null, ...kept };
  return new NameTracker({ name: HOME, rules, clock, kept: whole });
}
const addresses = (...texts: string[]) => texts.map(parseAddress);
const dueIn = (tracker: NameTracker) => between(clock.monotonic(), tracker.due);
const texts = (tracker: NameTracker) => tracker.problems.map(({ text }) => text).join('; ');

beforeEach(() => {
  clock = new FakeClock();
});

describe('a name', () => {
  it('is due at once, and lets in what an earlier run knew until it is looked up', () => {
    const tracker = trackerOf({ addresses: addresses(A, A6) });
    expect([dueIn(tracker), tracker.condition, tracker.addresses]).toEqual([0, 'pending', [A, A6]]);
  });

  it('lets in all addresses of both families', () => {
    const tracker = trackerOf();
    expect(tracker.take(found([B, A, A6]))).toEqual({ entered: [A, B, A6], left: [], isRoutine: false, turn: null });
    expect([tracker.condition, tracker.addresses]).toEqual(['ok', [A, B, A6]]);
  });

  it('that moves has its new address in as the old one is out', () => {
    const tracker = trackerOf();
    tracker.take(found([A, A6]));
    clock.advance(minutes(5));
    expect(tracker.take(found([B, B6]))).toEqual({ entered: [B, B6], left: [A, A6], isRoutine: false, turn: null });
  });

  it('that gives up IPv6 is out over IPv6', () => {
    const tracker = trackerOf();
    tracker.take(found([A, A6]));
    expect(tracker.take(found([A])).left).toEqual([A6]);
    expect(tracker.condition).toBe('ok');
  });

  it('that was known before this start and has moved meanwhile leaves its old address', () => {
    expect(trackerOf({ addresses: addresses(A, B) }).take(found([B, C]))).toMatchObject({ entered: [C], left: [A] });
  });
});

describe('what is no good answer', () => {
  it.each([
    ['a time-out', both(failed('timeout')), 'not answer in time'],
    ['SERVFAIL', both(failed('servfail')), 'SERVFAIL'],
    ['a refusal', both(failed('refused')), 'refuses'],
    ['nonsense', both(failed('bad')), 'no sense'],
    ['an empty answer', both(EMPTY), 'no address'],
    ['NXDOMAIN of one kind and nothing of the other', { 4: NXDOMAIN, 6: EMPTY }, 'no address'],
    ['NXDOMAIN of one kind and no answer of the other', { 4: NXDOMAIN, 6: failed() }, 'AAAA: '],
    ['a loopback address', found(['127.0.0.1', '::1']), '127.0.0.1 (a loopback address)'],
    ["the host's own address", found([OWN]), `${OWN} (the host's own address)`],
    ['the unspecified address', found(['0.0.0.0']), '0.0.0.0 (the unspecified address)'],
    ['a link-local address', found(['169.254.1.1', 'fe80::1']), 'fe80::1 (a link-local address)'],
    ['a multicast address', found(['224.0.0.1']), 'multicast'],
    [
      'a thousand addresses',
      found(Array.from({ length: 1000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)),
      'names.max_addr',
    ],
  ] as [string, Lookup, string][])('changes nothing, and is told once: %s', (_, lookup, words) => {
    const tracker = trackerOf();
    tracker.take(found([A, A6]));
    expect(tracker.take(lookup)).toEqual({ entered: [], left: [], isRoutine: false, turn: 'failed' });
    expect(texts(tracker)).toContain(words);
    for (let i = 0; i < 50; i++) {
      clock.advance(days(1));
      expect(tracker.take(lookup)).toEqual({ entered: [], left: [], isRoutine: false, turn: null });
    }
    expect([tracker.condition, tracker.addresses]).toEqual(['degraded', [A, A6]]);
    expect(tracker.take(found([A, A6]))).toEqual({ entered: [], left: [], isRoutine: false, turn: 'recovered' });
    expect(tracker.condition).toBe('ok');
  });

  it('of one family keeps what was known of it, while the other moves', () => {
    const tracker = trackerOf();
    tracker.take(found([A, A6]));
    const half = { ...found([B]), 6: failed('servfail') };
    expect(tracker.take(half)).toEqual({ entered: [B], left: [A], isRoutine: false, turn: 'failed' });
    expect([tracker.addresses, texts(tracker)]).toEqual([[B, A6], 'AAAA: the name server fails (SERVFAIL)']);
  });

  it('is told again where something else is wrong as well', () => {
    const tracker = trackerOf();
    tracker.take(found([A]));
    expect(tracker.take({ ...found([A]), 6: failed() }).turn).toBe('failed');
    expect(tracker.take({ ...found([A, '127.0.0.1']), 6: failed() }).turn).toBe('failed');
    expect(tracker.take({ ...found([A]), 6: failed('servfail') }).turn).toBeNull();
  });

  it('beside good addresses does not keep these out', () => {
    const tracker = trackerOf();
    expect(tracker.take(found(['127.0.0.1', A])).entered).toEqual([A]);
    expect(tracker.condition).toBe('degraded');
  });
});

describe('a name that does not exist', () => {
  it('keeps its addresses for the time configured, then they are dropped, once', () => {
    const tracker = trackerOf();
    tracker.take(found([A, A6]));
    expect(tracker.take(both(NXDOMAIN))).toEqual({ entered: [], left: [], isRoutine: false, turn: 'failed' });
    clock.advance(millis(days(1) - 1));
    expect(tracker.take(both(NXDOMAIN)).left).toEqual([]);
    expect(tracker.condition).toBe('missing');
    clock.advance(millis(1));
    expect(tracker.take(both(NXDOMAIN))).toEqual({ entered: [], left: [A, A6], isRoutine: false, turn: 'dropped' });
    expect(tracker.take(both(NXDOMAIN))).toEqual({ entered: [], left: [], isRoutine: false, turn: null });
    expect(tracker.condition).toBe('dropped');
    expect(tracker.take(found([A]))).toEqual({ entered: [A], left: [], isRoutine: false, turn: 'recovered' });
  });

  it('counts its time over silence, but is dropped only when that is said again', () => {
    const tracker = trackerOf();
    tracker.take(found([A]));
    tracker.take(both(NXDOMAIN));
    clock.advance(days(2));
    expect(tracker.take(both(failed())).left).toEqual([]);
    expect(tracker.take(both(NXDOMAIN)).left).toEqual([A]);
  });

  it('begins to count anew after it was there', () => {
    const tracker = trackerOf();
    tracker.take(found([A]));
    for (const there of [found([A]), both(EMPTY)]) {
      tracker.take(both(NXDOMAIN));
      clock.advance(hours(23));
      tracker.take(there);
      clock.advance(hours(23));
      expect(tracker.take(both(NXDOMAIN)).left).toEqual([]);
    }
  });

  it('goes on to count after a restart, whatever the wall clock does in between', () => {
    const first = trackerOf();
    first.take(found([A]));
    first.take(both(NXDOMAIN));
    clock.advance(hours(20));
    clock.setWall(days(300));
    expect(first.take(both(NXDOMAIN)).left).toEqual([]);
    const second = trackerOf(first.record());
    clock.advance(hours(3));
    expect(second.take(both(NXDOMAIN)).left).toEqual([]);
    clock.advance(hours(1));
    expect(second.take(both(NXDOMAIN)).left).toEqual([A]);
    const fromTheFuture = trackerOf({ addresses: addresses(A), missingSince: (clock.now() + days(9)) as Instant });
    clock.advance(days(1));
    expect(fromTheFuture.take(both(NXDOMAIN)).left).toEqual([A]);
  });
});

describe('a name whose answers rotate', () => {
  const pool = Array.from({ length: 12 }, (_, i) => `198.18.0.${i + 1}`);

  it('does not flap: four of twelve at random are soon all in, and stay', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.shuffledSubarray(pool, { minLength: 4, maxLength: 4 })), (answers) => {
        clock = new FakeClock();
        const tracker = trackerOf();
        const gone: Address[] = [];
        for (let i = 0; i < 240; i++) {
          gone.push(...tracker.take(found(answers.next().value, seconds(60))).left);
          clock.advance(seconds(60));
        }
        expect(gone).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('is found out where one address at a time comes back, again and again', () => {
    const tracker = trackerOf();
    const left: Address[][] = [];
    for (let i = 0; i < 20; i++) {
      left.push([...tracker.take(found([[A, B, C][i % 3] ?? A], seconds(60))).left]);
      clock.advance(seconds(60));
    }
    expect(left.slice(8).flat()).toEqual([]);
    expect(tracker.addresses).toEqual([A, B, C]);
  });

  it('is not one that moves there and back', () => {
    const tracker = trackerOf();
    for (const [now, before] of [[A], [B, A], [A, B], [B, A], [A, B]]) {
      expect(tracker.take(found([now ?? ''])).left).toEqual(before === undefined ? [] : [before]);
      clock.advance(minutes(5));
    }
  });

  it('is not one of many addresses that loses one', () => {
    const tracker = trackerOf();
    tracker.take(found(pool.slice(0, 6)));
    expect(tracker.take(found(pool.slice(0, 5))).left).toEqual([pool[5]]);
  });

  it('lets an address go an hour after it was last seen', () => {
    const tracker = trackerOf();
    tracker.take(found(pool.slice(0, 4), seconds(60)));
    clock.advance(minutes(59));
    expect(tracker.take(found(pool.slice(1, 5), seconds(60))).left).toEqual([]);
    clock.advance(minutes(1));
    expect(tracker.take(found(pool.slice(1, 5), seconds(60))).left).toEqual([pool[0]]);
  });

  it('brings no more than it may: those seen last stay', () => {
    const tracker = trackerOf({}, 6);
    tracker.take(found(pool.slice(0, 4)));
    clock.advance(seconds(60));
    expect(tracker.take(found(pool.slice(4, 8))).left).toEqual(pool.slice(2, 4));
    expect(tracker.addresses).toEqual([...pool.slice(0, 2), ...pool.slice(4, 8)]);
  });
});

describe('the next look-up', () => {
  it.each([
    [0, 30],
    [29, 30],
    [300, 300],
    [3600, 3600],
    [2 ** 31 - 1, 3600],
  ])('with a TTL of %d s comes after %d s', (ttl, wait) => {
    const tracker = trackerOf();
    tracker.take(found([A], seconds(ttl)));
    expect(dueIn(tracker)).toBe(seconds(wait));
  });

  it('after a failure comes soon, then ever later', () => {
    const tracker = trackerOf();
    const waits = Array.from({ length: 9 }, () => {
      tracker.take(both(failed()));
      return dueIn(tracker) / 1000;
    });
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    tracker.take(found([A]));
    tracker.take(both(failed()));
    expect(dueIn(tracker)).toBe(seconds(5));
  });
});

describe('whatever the DNS says', () => {
  const bad = ['127.0.0.1', '0.0.0.0', '169.254.0.9', '224.0.0.9', OWN, '::1', '::', 'fe80::9', 'ff02::1'];
  const good = [A, B, C, ...Array.from({ length: 20 }, (_, i) => `198.18.0.${i}`), A6, B6, '2001:db8::9'];
  const ofFamily = (family: 4 | 6): fc.Arbitrary<FamilyAnswer> =>
    fc.oneof(
      fc.constantFrom(EMPTY, NXDOMAIN, failed(), failed('servfail')),
      fc.record({
        kind: fc.constant('addresses' as const),
        addresses: fc
          .array(fc.constantFrom(...[...good, ...bad].map(parseAddress)), { maxLength: 24 })
          .map((list) => list.filter((one) => familyOf(one) === family)),
        ttl: fc.integer({ min: 0, max: 2 ** 31 - 1 }).map((n) => seconds(n)),
      }),
    );
  const step = fc.record({ 4: ofFamily(4), 6: ofFamily(6), wait: fc.integer({ min: 0, max: days(2) }) });

  it('nothing forbidden and not too much is in, what is in comes of an answer, and news tell every change', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (steps, most) => {
        clock = new FakeClock();
        const tracker = trackerOf(undefined, most);
        const answered = new Set<Address>();
        let before: readonly Address[] = [];
        for (const { wait, ...lookup } of steps) {
          clock.advance(millis(wait));
          const { entered, left, turn } = tracker.take(lookup);
          const now = tracker.addresses;
          const good = Object.values(lookup).filter((one) => one.kind === 'addresses');
          for (const { addresses: some } of good) for (const one of some) answered.add(one);
          expect(now.filter((one) => !answered.has(one) || bad.includes(one))).toEqual([]);
          for (const family of [4, 6]) {
            expect(now.filter((one) => familyOf(one) === family).length).toBeLessThanOrEqual(most);
          }
          expect(new Set(now)).toEqual(new Set([...before, ...entered].filter((one) => !left.includes(one))));
          const hasAnswer = good.some((one) => one.addresses.length > 0);
          if (!hasAnswer && turn !== 'dropped') expect(left).toEqual([]);
          expect(dueIn(tracker)).toBeGreaterThanOrEqual(seconds(5));
          expect(dueIn(tracker)).toBeLessThanOrEqual(hours(1));
          before = now;
        }
      }),
    );
  });
});
