import { describe, expect, test } from 'vitest';
import { script } from '../support/scripts.ts';

interface Figure {
  readonly id: string;
  readonly title: string;
  readonly value: number | null;
  readonly unit: string;
  readonly goal?: { readonly most?: number; readonly least?: number };
}

const { verdict, tally, checkMeasured } = await script<{
  verdict(figure: Figure): string | undefined;
  tally(scenarios: object[]): { goals: number; met: number; missed: Figure[]; unmeasured: Figure[] };
  checkMeasured(measured: unknown): string | undefined;
}>('bench/goals.mjs');
const { benchReport } = await script<{ benchReport(result: object, isColored: boolean): string }>('bench/report.mjs');
const { quantile, summary, thinned, evenly } = await script<{
  quantile(samples: number[], share: number): number | undefined;
  summary(samples: (number | null)[]): { n: number; lost: number; median?: number; p99?: number; max?: number };
  thinned(samples: number[], most: number): number[];
  evenly<T>(list: T[], most: number): T[];
}>('bench/statistics.mjs');
const { number } = await script<{ number(value: number): string }>('bench/format.mjs');

const FIGURE: Figure = { id: 'ratio', title: 'theirs ÷ ours', value: 20, unit: 'times' };

describe('a goal', () => {
  test('is met at its bound and missed beyond it', () => {
    expect(verdict({ ...FIGURE, goal: { least: 20 } })).toBe('met');
    expect(verdict({ ...FIGURE, goal: { least: 20.01 } })).toBe('missed');
    expect(verdict({ ...FIGURE, goal: { most: 20 } })).toBe('met');
    expect(verdict({ ...FIGURE, goal: { most: 19.99 } })).toBe('missed');
    expect(verdict({ ...FIGURE, value: 0, goal: { most: 0 } })).toBe('met');
  });

  test('is neither where nothing was measured or nothing was wanted', () => {
    expect(verdict({ ...FIGURE, value: null, goal: { most: 1 } })).toBe('unmeasured');
    expect(verdict(FIGURE)).toBeUndefined();
  });

  test('that was missed is counted and said', () => {
    const scenarios = [
      {
        id: 'one',
        title: 'One',
        figures: [
          { ...FIGURE, goal: { least: 10 } },
          { ...FIGURE, id: 'slow', title: 'the slow one', goal: { least: 100 } },
          { ...FIGURE, id: 'absent', value: null, goal: { least: 1 } },
        ],
      },
      { id: 'two', title: 'Two', failed: 'no such device' },
    ];
    expect(tally(scenarios)).toMatchObject({
      goals: 3,
      met: 1,
      missed: [{ id: 'slow' }],
      unmeasured: [{ id: 'absent' }],
    });
    const report = benchReport({ quick: false, scenarios }, false);
    expect(report).toMatch(/the slow one +20 times +at least 100 +MISSED/);
    expect(report).toContain('FAILED: no such device');
    expect(report).toContain('1 of 3 goals met, 1 MISSED, 1 not measured, 1 of 2 scenarios FAILED.');
  });
});

describe('what a scenario gave', () => {
  const plot = { id: 'p', title: 'P', kind: 'bars', unit: 'ms', series: [{ name: 'a', values: [1, 2] }] };
  test.each([
    ['nothing', undefined, 'it gave no figures'],
    ['no figures', { figures: [] }, 'it gave no figures'],
    ['a figure that is no number', { figures: [{ ...FIGURE, value: Number.NaN }] }, 'figure ratio is NaN'],
    ['a goal without a bound', { figures: [{ ...FIGURE, goal: {} }] }, 'the goal of figure ratio is none'],
    ['a plot of another kind', { figures: [FIGURE], plots: [{ ...plot, kind: 'pie' }] }, 'plot p is of no known kind'],
    ['an empty series', { figures: [FIGURE], plots: [{ ...plot, series: [{ name: 'a', values: [] }] }] }, 'is empty'],
    ['labels that do not fit', { figures: [FIGURE], plots: [{ ...plot, labels: ['x'] }] }, 'does not fit its labels'],
    ['a path for an id', { figures: [FIGURE], plots: [{ ...plot, id: '../p' }] }, 'is incomplete'],
  ])('is refused where it is %s', (_, measured, fault) => {
    expect(checkMeasured(measured)).toContain(fault);
  });

  test('is taken where it is whole', () => {
    expect(checkMeasured({ figures: [FIGURE], plots: [plot] })).toBeUndefined();
  });
});

describe('statistics', () => {
  test('a quantile is a sample, of the nearest rank', () => {
    const samples = [5, 1, 4, 2, 3];
    expect([0, 0.2, 0.5, 0.99, 1].map((share) => quantile(samples, share))).toEqual([1, 1, 3, 5, 5]);
    expect(quantile([7], 0.5)).toBe(7);
    expect(quantile([], 0.5)).toBeUndefined();
  });

  test('a knock that opened nothing is counted, and in no median', () => {
    expect(summary([3, null, 1, 2, null])).toEqual({ n: 5, lost: 2, median: 2, p99: 3, max: 3 });
    expect(summary([null])).toMatchObject({ n: 1, lost: 1, median: undefined });
  });

  test('thinning keeps the ends and the median', () => {
    const samples = Array.from({ length: 1001 }, (_, i) => (i * 2) % 1001);
    const fewer = thinned(samples, 101);
    expect(fewer).toHaveLength(101);
    expect([fewer[0], quantile(fewer, 0.5), fewer.at(-1)]).toEqual([0, 500, 1000]);
    expect(evenly(['a', 'b', 'c', 'd', 'e'], 3)).toEqual(['a', 'c', 'e']);
    expect(thinned([2, 1], 5)).toEqual([2, 1]);
  });

  test('a number has three digits that count', () => {
    expect([0, 0.01234, 0.5, 1.5, 12, 12.345, 999.6, 1234567, 0.00001234].map(number)).toEqual([
      '0',
      '0.0123',
      '0.5',
      '1.50',
      '12',
      '12.3',
      '1,000',
      '1,234,567',
      '1.2e-5',
    ]);
  });
});
