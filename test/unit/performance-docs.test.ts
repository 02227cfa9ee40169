import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { script } from '../support/scripts.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOST = { cpus: 2, cpu: 'A Processor', memory: '8 GB', kernel: '6.1.0', node: 'v20.19.0' };
const README = 'before\n<!-- performance:begin -->\nold\n<!-- performance:end -->\nafter\n';

const { performanceFiles } = await script<{
  performanceFiles(performance: object, readme: string): Map<string, string>;
}>('performance/files.mjs');

function figure(id: string, value: number | null, more: object = {}) {
  return { id, title: `figure ${id}`, value, unit: 'ms', ...more };
}

const PERFORMANCE = {
  host: HOST,
  scenarios: [
    {
      id: 'opening',
      title: 'Opening',
      at: '2026-01-02T03:04:05.000Z',
      seconds: 60,
      figures: [
        figure('knockd-ratio', 21, { goal: { least: 20 } }),
        figure('fwknopd-ratio', 125, { goal: { least: 250 }, why: 'It sleeps.' }),
        figure('sallyport-median', 1.5),
        figure('sallyport-p99', 4),
        figure('knockd-median', 31.5),
        figure('fwknopd-median', null),
      ],
      notes: ['A note.'],
      plots: [{ id: 'times', title: 'Times', kind: 'bars', unit: 'ms', series: [{ name: 'a', values: [1] }] }],
    },
  ],
};

describe('what is made from the kept result', () => {
  const files = performanceFiles(PERFORMANCE, README);
  const page = files.get('docs/performance.md') ?? '';

  test('the page says on what machine, and plainly which goal was missed, by how much and why', () => {
    expect(page).toContain('2 × A Processor, 8 GB of memory, Linux 6.1.0, Node 20.19.0.');
    expect(page).toContain('**Goals met: 1 of 2.** Missed:');
    expect(page).toContain(
      'figure fwknopd-ratio: 125 ms; the goal is at least 250, and this is 50 % of it. It sleeps.',
    );
    expect(page).toContain('| figure fwknopd-ratio | 125 ms | at least 250 | **missed** |');
    expect(page).toContain('| figure knockd-ratio | 21 ms | at least 20 | met |');
    expect(page).toContain('- A note.');
  });

  test('the page shows every plot, and each is there', () => {
    for (const [, path] of page.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) expect(files.has(`docs/${path}`)).toBe(true);
    expect(page).toContain('![Times](performance/opening-times.svg)');
  });

  test('README carries the comparison and the missed goal between its marks, and keeps all else', () => {
    const readme = files.get('README.md') ?? '';
    expect(readme.startsWith('before\n<!-- performance:begin -->\n')).toBe(true);
    expect(readme.endsWith('\n<!-- performance:end -->\nafter\n')).toBe(true);
    expect(readme).not.toContain('old');
    expect(readme).toContain('| knockd 0.8 | 31.5 ms | - | 21 times ours |');
    expect(readme).toContain('Goals met: 1 of 2');
    expect(readme).toContain('- Missed: figure fwknopd-ratio: 125 ms');
    expect(performanceFiles(PERFORMANCE, readme).get('README.md')).toBe(readme);
  });

  test('README without its marks is an error, not a README without figures', () => {
    expect(() => performanceFiles(PERFORMANCE, 'no marks')).toThrow('README.md has no <!-- performance:begin -->');
  });
});

describe('the check', () => {
  let checkout: string;

  beforeEach(() => {
    checkout = mkdtempSync(join(tmpdir(), 'sallyport-performance-'));
    for (const name of ['scripts', 'docs', 'README.md'])
      cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  });

  afterEach(() => rmSync(checkout, { recursive: true, force: true }));

  function generate(...args: string[]) {
    const generator = join(checkout, 'scripts', 'generate-performance-docs.mjs');
    return spawnSync(process.execPath, [generator, ...args], { encoding: 'utf8' });
  }

  test('passes on what is committed', () => {
    expect(generate('--check')).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    ['README.md', (text: string) => text.replace(/(<!-- performance:begin -->\n)/, '$1a better figure\n')],
    ['docs/performance.md', (text: string) => `${text}more\n`],
    ['docs/performance/opening-opening.svg', (text: string) => text.replace('median', 'mean')],
    ['docs/performance/of-nothing.svg', () => '<svg/>'],
  ])('fails where %s is not what would be made, and making it again mends that', (path, change) => {
    const file = join(checkout, path);
    const text = path.includes('nothing') ? '' : readFileSync(file, 'utf8');
    writeFileSync(file, change(text));
    const { status, stderr } = generate('--check');
    expect(status).toBe(1);
    expect(stderr).toContain(`${path}: differs from docs/performance.json`);
    expect(generate().status).toBe(0);
    expect(generate('--check').status).toBe(0);
  });
});
