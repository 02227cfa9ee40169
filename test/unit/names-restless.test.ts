import { beforeEach, describe, expect, it } from 'vitest';
import { type Address, familyOf } from '../../src/core/address.ts';
import { type NameNews, NameTracker } from '../../src/core/names/tracker.ts';
import { between, type Duration, days, minutes, seconds } from '../../src/core/time.ts';
import { seededRandom } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { found, HOME } from '../support/names.ts';

/** So many addresses of a family within a day. */
const MOST = 256;

let clock: FakeClock;
let random: (bound: number) => number;

const trackerOf = (maxAddresses = 16) =>
  new NameTracker({
    name: HOME,
    rules: { nxdomainAfter: days(1), maxAddresses, refusal: () => undefined },
    clock,
  });
const four = () => `198.${18 + random(2)}.${random(256)}.${random(256)}`;
const six = () => `2001:db8::${(1 + random(65_000)).toString(16)}:${(1 + random(65_000)).toString(16)}`;
const times = (count: number, draw: () => string) => Array.from({ length: count }, draw);

interface Seen {
  readonly lookUps: number;
  /** By family, each address once. */
  readonly entered: Readonly<Record<4 | 6, number>>;
  readonly most: Readonly<Record<4 | 6, number>>;
  readonly told: number;
  readonly turns: readonly NameNews['turn'][];
}

/** Looks a name up whenever it is due, for so long. */
function live(tracker: NameTracker, lasting: Duration, answer: () => readonly string[]): Seen {
  const end = clock.monotonic() + lasting;
  const entered = { 4: new Set<Address>(), 6: new Set<Address>() };
  const most = { 4: 0, 6: 0 };
  let [lookUps, told] = [0, 0];
  const turns: NameNews['turn'][] = [];
  while (clock.monotonic() < end) {
    const news = tracker.take(found(answer(), seconds(1)));
    lookUps++;
    if (news.entered.length + news.left.length > 0 && !news.isRoutine) told++;
    if (news.turn !== null) turns.push(news.turn);
    for (const one of news.entered) entered[familyOf(one)].add(one);
    for (const family of [4, 6] as const) {
      const now = tracker.addresses.filter((one) => familyOf(one) === family).length;
      most[family] = Math.max(most[family], now);
    }
    clock.advance(between(clock.monotonic(), tracker.due));
  }
  return { lookUps, entered: { 4: entered[4].size, 6: entered[6].size }, most, told, turns };
}

beforeEach(() => {
  clock = new FakeClock();
  random = seededRandom(7);
});

describe('a name that gives others all day', () => {
  it.each([
    ['four at a time', 4],
    ['one at a time', 1],
    ['as many as it may', 16],
  ])('%s, brings no more than 256 of a family within a day, and is said to be at fault', (_, count) => {
    const tracker = trackerOf();
    for (let day = 0; day < 4; day++) {
      const { lookUps, entered, most, told, turns } = live(tracker, days(1), () => [
        ...times(count, four),
        ...times(count, six),
      ]);
      for (const family of [4, 6] as const) {
        expect(entered[family]).toBeLessThanOrEqual(MOST);
        expect(most[family]).toBeLessThanOrEqual(16);
      }
      expect(entered[4]).toBeGreaterThan(MOST / 4);
      expect(lookUps).toBeLessThan(800);
      expect(told).toBeLessThanOrEqual(2 * MOST);
      expect(turns.length).toBeLessThan(8);
    }
    expect(tracker.condition).toBe('degraded');
    expect(tracker.problems.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^A: it has had \d+ addresses within a day; of those that are new none is let in$/),
    );
  });

  it('keeps in what was in, and takes what it has had before', () => {
    const tracker = trackerOf();
    const given: string[] = [];
    live(tracker, minutes(60), () => {
      given.splice(0, given.length, ...times(4, four));
      return given;
    });
    const before = tracker.addresses;
    expect(before).toHaveLength(16);
    expect(tracker.take(found(times(4, four))).left).toEqual([]);
    expect(tracker.addresses).toEqual(before);
    const known = before.slice(0, 4);
    expect(tracker.take(found(known)).turn).toBeNull();
    expect([tracker.condition, tracker.addresses]).toEqual(['degraded', before]);
  });

  it('is well again within a day after it has settled, and its address in', () => {
    const tracker = trackerOf();
    live(tracker, minutes(60), () => times(4, four));
    const { turns } = live(tracker, days(1), () => ['203.0.113.7']);
    expect([turns, tracker.condition]).toEqual([['recovered'], 'ok']);
    expect(tracker.addresses).toContain('203.0.113.7');
  });

  it('over IPv4 alone moves over IPv6 as ever', () => {
    const tracker = trackerOf();
    live(tracker, minutes(60), () => [...times(4, four), '2001:db8::7']);
    expect(tracker.take(found([...times(4, four), '2001:db8::8'])).entered).toEqual(['2001:db8::8']);
  });
});

it('a name that moves every six minutes is followed all day', () => {
  const tracker = trackerOf();
  for (let n = 0; n < 480; n++) {
    const address = `198.18.${n >> 8}.${n & 255}`;
    expect(tracker.take(found([address], seconds(1)))).toMatchObject({ entered: [address], isRoutine: false });
    clock.advance(minutes(6));
  }
  expect(tracker.condition).toBe('ok');
});

it('a pool of forty, four at a time, is followed all day, and each address told of once', () => {
  const tracker = trackerOf();
  const pool = Array.from({ length: 40 }, (_, i) => `198.18.0.${i + 1}`);
  const { entered, most, told, turns } = live(tracker, days(1), () => {
    const first = random(pool.length);
    return [0, 1, 2, 3].map((step) => pool[(first + 7 * step) % pool.length] ?? '');
  });
  expect([entered[4], most[4], turns, tracker.condition]).toEqual([40, 16, [], 'ok']);
  expect(told).toBeLessThanOrEqual(40);
});
