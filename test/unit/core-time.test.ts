import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSallyportError } from '../../src/core/errors.ts';
import {
  after,
  between,
  days,
  formatDuration,
  hours,
  humanDuration,
  type Instant,
  type Monotonic,
  millis,
  minutes,
  parseDuration,
  seconds,
  toIso,
  wallTime,
} from '../../src/core/time.ts';
import { anyText, errorOf } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TEN_YEARS = days(3650);
const at = (ms: number) => ms as Instant;

describe('a duration', () => {
  it.each([
    ['1ms', 1],
    ['90s', 90_000],
    ['15m', 900_000],
    ['8h', 28_800_000],
    ['2d', 172_800_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0h5s', 5000],
    ['007s', 7000],
    ['3650d', TEN_YEARS],
  ])('%s is %i ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each([
    '',
    '0',
    '0s',
    '0d0ms',
    '5',
    's',
    '-5m',
    '+5m',
    '1.5h',
    '1 h',
    ' 1h',
    '1h ',
    '1h\n',
    '1H',
    '1w',
    '3x',
    '1h30',
    '٣m',
    '1e3s',
    '3651d',
    '99999999999ms',
    '9999999999d',
    'Infinity',
    '__proto__',
  ])('%j is refused', (text) => {
    expect(errorOf(() => parseDuration(text)).code).toBe('SP_DURATION_INVALID');
  });

  it('is printed so that it reads back to the same', () => {
    const length = fc.oneof(fc.integer({ min: 1, max: TEN_YEARS }), fc.integer({ min: 1, max: 200_000 }));
    fc.assert(
      fc.property(length, (ms) => {
        expect(parseDuration(formatDuration(millis(ms)))).toBe(ms);
      }),
    );
    expect(formatDuration(minutes(90))).toBe('1h30m');
    expect(formatDuration(seconds(90))).toBe('1m30s');
    expect(formatDuration(millis(0))).toBe('0s');
    expect(formatDuration(millis(-5))).toBe('0s');
    expect(formatDuration(millis(1499.6))).toBe('1s500ms');
  });

  it('is whole and within its bounds or refused, whatever the text', () => {
    const text = fc.oneof(fc.string({ unit: fc.constantFrom(...'0123456789msdh -.'), maxLength: 16 }), anyText(16));
    fc.assert(
      fc.property(text, (typed) => {
        try {
          const read = parseDuration(typed);
          expect(Number.isInteger(read) && read >= 1 && read <= TEN_YEARS).toBe(true);
        } catch (error) {
          expect(isSallyportError(error, 'SP_DURATION_INVALID')).toBe(true);
        }
      }),
    );
  });

  it('counts in the units of its makers', () => {
    expect([millis(1), seconds(1), minutes(1), hours(1), days(1)]).toEqual([1, 1000, 60_000, 3_600_000, 86_400_000]);
  });
});

describe('a duration for people', () => {
  it.each([
    [0, '0s'],
    [-5000, '0s'],
    [1, '1s'],
    [1000, '1s'],
    [1001, '2s'],
    [45_000, '45s'],
    [59_000.5, '1m'],
    [3_552_000, '59m 12s'],
    [3_599_500, '1h'],
    [7_200_000, '2h'],
    [7_205_000, '2h'],
    [86_400_000, '1d'],
    [90_000_000 - 1000, '1d'],
    [97_300_000, '1d 3h'],
    [TEN_YEARS, '3650d'],
  ])('of %d ms is %s', (ms, expected) => {
    expect(humanDuration(millis(ms))).toBe(expected);
  });

  it('never says more than there is and is off by less than its second unit', () => {
    const sizes = [86_400, 3600, 60, 1];
    fc.assert(
      fc.property(fc.double({ min: 1, max: TEN_YEARS, noNaN: true }), (ms) => {
        const said = humanDuration(millis(ms));
        expect(said).toMatch(/^(\d+d( \d+h)?|\d+h( \d+m)?|\d+m( \d+s)?|\d+s)$/);
        const whole = Math.ceil(ms / 1000);
        const off = whole - parseDuration(said.replace(' ', '')) / 1000;
        const largest = sizes.findIndex((size) => whole >= size);
        expect(off).toBeGreaterThanOrEqual(0);
        expect(off).toBeLessThan(sizes[largest + 1] ?? 1);
      }),
    );
  });
});

describe('a moment in ISO 8601', () => {
  const FIRST = new Date('0000-01-01T00:00:00.000Z').getTime();
  const LAST = new Date('9999-12-31T23:59:59.999Z').getTime();

  it('is what Date makes of it, from the year 0 to 9999', () => {
    const near = fc.integer({ min: 0, max: 4_102_444_800_000 });
    fc.assert(
      fc.property(fc.oneof(near, fc.integer({ min: FIRST, max: LAST })), (ms) => {
        expect(toIso(at(ms))).toBe(new Date(ms).toISOString());
      }),
      { numRuns: 2000 },
    );
  });

  it('is right on the first and last of every month around leap years', () => {
    for (const year of [0, 4, 100, 400, 1582, 1600, 1900, 1969, 1970, 1972, 2000, 2024, 2026, 2100, 2400, 9996, 9999]) {
      for (let month = 0; month < 12; month++) {
        const first = new Date(Date.UTC(2000, month, 1)).setUTCFullYear(year);
        for (const ms of [first - 1, first, first + 86_400_000].filter((each) => each >= FIRST && each <= LAST)) {
          expect(toIso(at(ms))).toBe(new Date(ms).toISOString());
        }
      }
    }
  });

  it('drops what is less than a millisecond', () => {
    expect(toIso(at(1_772_352_000_000.75))).toBe('2026-03-01T08:00:00.000Z');
  });
});

describe('the two clocks', () => {
  it('give a deadline the wall-clock time at which it will come, as they stand', () => {
    const clock = new FakeClock({ now: 5_000_000, monotonic: 1000 });
    const deadline = after(clock.monotonic(), minutes(1));
    expect(wallTime(clock, deadline)).toBe(5_060_000);
    clock.advance(seconds(20));
    expect(wallTime(clock, deadline)).toBe(5_060_000);
    clock.setWall(hours(-1));
    expect(wallTime(clock, deadline)).toBe(1_460_000);
    expect(between(clock.monotonic(), deadline)).toBe(40_000);
    expect(between(deadline, 1000 as Monotonic)).toBe(-60_000);
  });
});
