import { describe, expect, test } from 'vitest';
import { script } from '../support/scripts.ts';
import { elementsOf } from '../support/xml.ts';

interface Plot {
  readonly id: string;
  readonly title: string;
  readonly kind: 'distribution' | 'bars' | 'line';
  readonly unit: string;
  readonly log?: boolean;
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly labels?: readonly string[];
  readonly across?: string;
}

const { performanceFiles } = await script<{
  performanceFiles(performance: object, readme: string): Map<string, string>;
}>('performance/files.mjs');

/** The picture that is made of a plot. */
function plotSvg(plot: Plot): string {
  const scenario = { id: 's', title: 'S', at: '2026-01-01', figures: [], notes: [], plots: [plot] };
  const host = { cpus: 1, cpu: 'A', memory: '1 GB', kernel: '6', node: 'v20' };
  const readme = '<!-- performance:begin --><!-- performance:end -->';
  return performanceFiles({ host, scenarios: [scenario] }, readme).get('docs/performance/s-p.svg') ?? '';
}

const SERIES = [
  { name: 'Sallyport', values: [1, 1.2, 0.9, 8] },
  { name: 'knockd', values: [30, 33, 28, 51] },
  { name: 'a < b & "c"', values: [140, 100, 160, 90] },
];
const BASE = { id: 'p', title: 'Opening & <closing>', unit: 'ms', series: SERIES };
const PLOTS: readonly Plot[] = [
  { ...BASE, kind: 'distribution', log: true },
  { ...BASE, kind: 'distribution' },
  { ...BASE, kind: 'bars', labels: ['one', 'two', 'three', 'four'] },
  { ...BASE, kind: 'bars', log: true, labels: ['one', 'two', 'three', 'four'] },
  { ...BASE, kind: 'line', labels: ['0', '10', '20', '30'], across: 'grants' },
  { ...BASE, kind: 'line', log: true },
];

describe.each(PLOTS)('a plot of kind $kind (logarithmic: $log)', (plot) => {
  const svg = plotSvg(plot);
  const elements = elementsOf(svg);
  const words = elements.filter(({ name }) => name === 'text').map(({ text }) => text);

  test('names the picture, the unit and every series', () => {
    expect(words).toContain('Opening & <closing>');
    expect(words.some((text) => text.startsWith('ms'))).toBe(true);
    for (const { name } of SERIES) expect(words).toContain(name);
    const told = elements.find(({ name }) => name === 'desc')?.text ?? '';
    for (const { name } of SERIES) expect(told).toContain(name);
  });

  test('stays within its frame', () => {
    const { width, height } = elements[0]?.attributes ?? {};
    for (const { attributes } of elements)
      for (const [key, most] of [
        ['x', width],
        ['x2', width],
        ['cx', width],
        ['y', height],
        ['y2', height],
        ['cy', height],
      ] as const) {
        if (attributes[key] === undefined) continue;
        expect(Number(attributes[key])).toBeGreaterThanOrEqual(0);
        expect(Number(attributes[key])).toBeLessThanOrEqual(Number(most));
      }
  });

  test('is the same each time, and can be read on light and dark ground', () => {
    expect(plotSvg(plot)).toBe(svg);
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('what is drawn', () => {
  test('a distribution has a dot for each sample, and the median where its value is', () => {
    const svg = plotSvg({ ...BASE, kind: 'distribution', log: true, series: [{ name: 'a', values: [1, 10, 100] }] });
    const dots = elementsOf(svg).find(({ attributes }) => attributes.class === 'dots0')?.attributes.d ?? '';
    const places = [...dots.matchAll(/M([\d.]+) /g)].map(([, x]) => Number(x));
    expect(places).toHaveLength(3);
    const [first = 0, second = 0, third = 0] = places;
    // Equal ratios are equal distances.
    expect(second - first).toBeCloseTo(third - second, 0);
    expect(svg).toContain('median 10 ms');
  });

  test('a bar twice as high is twice as long', () => {
    const svg = plotSvg({ ...BASE, kind: 'bars', series: [{ name: 'a', values: [20, 40] }], labels: ['x', 'y'] });
    const [small, large] = elementsOf(svg)
      .filter(({ attributes }) => attributes.class === 'fill0' && attributes.width !== undefined)
      .map(({ attributes }) => Number(attributes.width));
    expect(large).toBeCloseTo(2 * (small ?? 0), 0);
    expect(svg).toContain('20 ms');
    expect(svg).toContain('40 ms');
  });

  test('a value of nothing has a place on a logarithmic scale too', () => {
    const svg = plotSvg({
      ...BASE,
      kind: 'bars',
      log: true,
      series: [{ name: 'a', values: [0, 10] }],
      labels: ['x', 'y'],
    });
    expect(svg).toContain('0 ms');
    expect(svg).not.toContain('NaN');
  });

  test('a line has a point for each value, and one that is higher is drawn higher', () => {
    const svg = plotSvg({ ...BASE, kind: 'line', series: [{ name: 'a', values: [1, 3, 2] }], labels: ['x', 'y', 'z'] });
    const path = elementsOf(svg).find(({ attributes }) => attributes.class === 'line0')?.attributes.d ?? '';
    const [low = 0, high = 0, middle = 0] = [...path.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y));
    expect(high).toBeLessThan(middle);
    expect(middle).toBeLessThan(low);
  });

  test('names of lines that end close to each other are whole and not over each other', () => {
    const series = ['this gateway', 'beside it, a gateway with one grant'].map((name) => ({ name, values: [1, 2] }));
    const names = elementsOf(plotSvg({ ...BASE, kind: 'line', series })).filter(({ attributes }) =>
      attributes.class?.endsWith(' strong'),
    );
    expect(names.map(({ text }) => text).join(' ')).toBe('this gateway beside it, a gateway with one grant');
    const heights = names.map(({ attributes }) => Number(attributes.y));
    for (const [i, height] of heights.slice(1).entries()) expect(height - (heights[i] ?? 0)).toBeGreaterThan(12);
  });
});
