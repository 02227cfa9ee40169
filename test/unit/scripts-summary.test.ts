import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Files of tests, and what each adds to the count. */
const FILES = {
  'passes.test.ts': "test('one', () => {}); test('two', () => {});",
  'fails.test.ts': "test('three', () => { throw new Error('no'); });",
  'does-not-load.test.ts': "import './nothing.js'; test('four', () => {});",
  'hook-fails.test.ts': "beforeAll(() => { throw new Error('no'); }); test('five', () => {});",
  'fails-outside.test.ts': `test('six', async () => {
    setTimeout(() => { throw new Error('no'); }, 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
  });`,
  'skips.test.ts':
    "test('seven', (context) => context.skip('no bell here')); test.skip('eight', () => {}); test.todo('nine');",
};

interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

let folder: string;
let summary: Summary;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-summary-'));
  mkdirSync(join(folder, 'tests'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'vitest.config.mjs'), 'export default { test: { pool: "threads" } };');
  for (const [name, text] of Object.entries(FILES)) {
    writeFileSync(join(folder, 'tests', name), `import { beforeAll, test } from 'vitest';\n${text}\n`);
  }
  const out = join(folder, 'summary.json');
  const args = ['run', `--root=${folder}`, `--reporter=${join(ROOT, 'scripts/lib/test-reporter.mjs')}`];
  const env = { ...process.env, SALLYPORT_TEST_SUMMARY: out };
  spawnSync(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...args], { cwd: folder, env });
  summary = JSON.parse(readFileSync(out, 'utf8')) as Summary;
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the count at the end of the tests', () => {
  test('has what passed', () => {
    expect(summary.passed).toBe(3);
  });

  test('has as failed: a test, a file that does not load, a hook, an error outside every test', () => {
    expect(summary.failed).toBe(4);
  });

  test('has each skipped test with its reason', () => {
    expect([...summary.skipped].sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'tests/hook-fails.test.ts > five', reason: 'what prepares it failed' },
      { name: 'tests/skips.test.ts > eight', reason: 'switched off in its file, which gives no reason' },
      { name: 'tests/skips.test.ts > nine', reason: 'still to be written' },
      { name: 'tests/skips.test.ts > seven', reason: 'no bell here' },
    ]);
  });

  test('is one plain line, the last', () => {
    const url = new URL('../../scripts/lib/vitest.mjs', import.meta.url).href;
    const program = `import { summaryLines } from ${JSON.stringify(url)}; console.log(summaryLines(JSON.parse(process.argv[1])).join('\\n'));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program, JSON.stringify(summary)], {
      encoding: 'utf8',
    });
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^skipped: tests\/.*: .+/);
    expect(lines.at(-1)).toBe('3 passed, 4 failed, 4 skipped');
  });
});
