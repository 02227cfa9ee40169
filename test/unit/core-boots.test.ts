import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Boot, noteBoot, rescueWait } from '../../src/core/boots.ts';
import { type Instant, minutes, seconds } from '../../src/core/time.ts';

/** Starts a machine at these minutes of its wall clock; what the last of them is told. */
function startedAt(...minutesOfClock: number[]) {
  let boots: readonly Boot[] = [];
  let last = { id: '', at: 0 as Instant, uptime: seconds(8) };
  for (const [index, minute] of minutesOfClock.entries()) {
    last = { id: `boot ${index}`, at: minutes(minute) as number as Instant, uptime: seconds(8) };
    boots = noteBoot(boots, last);
  }
  return { boots, last, wait: rescueWait(boots, last) };
}

describe('the guard waits', () => {
  it('until five minutes after the third start within ten minutes', () => {
    expect(startedAt(0, 4, 10).wait).toBe(minutes(5) - seconds(8));
    const { boots, last } = startedAt(0, 4, 10);
    expect(rescueWait(boots, { ...last, uptime: minutes(4) })).toBe(minutes(1));
    expect(rescueWait(boots, { ...last, uptime: minutes(5) })).toBeUndefined();
  });

  it('at each further start that follows as quickly', () => {
    expect(startedAt(0, 3, 6, 9, 12).wait).toBeDefined();
    expect(startedAt(0, 3, 6, 40).wait).toBeUndefined();
    expect(startedAt(0, 3, 6, 40, 44, 48).wait).toBeDefined();
  });

  it('where a clock without a battery shows the same time at each start', () => {
    expect(startedAt(0, 0, 0).wait).toBeDefined();
  });
});

describe('the guard does not wait', () => {
  it.each([
    ['at a first start', [0]],
    ['at a second one', [0, 1]],
    ['where the three took longer than ten minutes', [0, 5, 10.1]],
    ['where the clock was set forward by much', [0, 1, 500_000]],
    ['where the clock was set back by much', [500_000, 1, 2]],
  ])('%s', (_, starts) => {
    expect(startedAt(...starts).wait).toBeUndefined();
  });

  it('where one of the starts is known to have lasted, whatever the clock shows', () => {
    const { boots, last } = startedAt(0, 0);
    const lasted = noteBoot(boots, { ...last, uptime: minutes(10) });
    expect(lasted).toEqual([]);
    const third = { id: 'boot 3', at: 0 as Instant, uptime: seconds(8) };
    expect(rescueWait(noteBoot(lasted, third), third)).toBeUndefined();
  });

  it('where another start than this is the last that was noted', () => {
    const { boots, last } = startedAt(0, 1, 2);
    expect(rescueWait(boots, { ...last, id: 'another' })).toBeUndefined();
  });
});

describe('a start', () => {
  it('is noted once, however often the daemon starts in it', () => {
    const { boots, last } = startedAt(0, 1);
    expect(noteBoot(boots, { ...last, at: (last.at + 1000) as Instant, uptime: minutes(1) })).toBe(boots);
  });

  it('is one of three that are remembered at most, and what waits never does so for longer than five minutes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 12 }), (starts) => {
        const { boots, wait } = startedAt(...starts);
        expect(boots.length).toBeLessThanOrEqual(3);
        expect(wait ?? 1).toBeGreaterThan(0);
        expect(wait ?? 1).toBeLessThanOrEqual(minutes(5));
      }),
    );
  });
});
