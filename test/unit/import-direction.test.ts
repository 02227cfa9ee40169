import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHECK = join(ROOT, 'scripts/check-imports.mjs');

/** A file that breaks a rule, and what the check must say of it. */
const VIOLATIONS: readonly (readonly [path: string, text: string, said: string])[] = [
  ['core/planted.ts', "import { readFileSync } from 'node:fs';\n", 'imports node:fs'],
  ['core/planted.ts', "import { readFileSync } from 'fs';\n", 'imports fs'],
  ['core/planted.ts', "import { z } from 'zod';\n", 'imports zod'],
  ['core/planted.ts', "import { loadConfig } from '../config/load.js';\n", 'imports ../config/load.js'],
  ['core/planted.ts', "import type { Config } from '../config/config.js';\n", 'imports ../config/config.js'],
  ['core/planted.ts', "export type Config = import('../config/config.js').Config;\n", 'imports ../config/config.js'],
  ['core/planted.ts', 'export const now = Date.now();\n', 'uses Date'],
  ['core/planted.ts', 'export const now = new globalThis.Date();\n', 'uses globalThis'],
  ['core/planted.ts', 'export const chance = Math.random();\n', 'uses Math.random'],
  ['core/planted.ts', "export const chance = Math['random']();\n", 'uses Math.random'],
  ['core/planted.ts', 'export const { random } = Math;\n', 'uses Math.random'],
  ['core/deep/er/planted.ts', "export * from '../../../store/driver.js';\n", 'imports ../../../store/driver.js'],
  ['knock/planted.ts', "import { names } from '../firewall/names.js';\n", 'imports ../firewall/names.js'],
  ['firewall/planted.ts', "const store = await import('../store/driver.js');\n", 'imports ../store/driver.js'],
  [
    'firewall/planted.ts',
    "new URL('../store/store-worker.js', import.meta.url);\n",
    'imports ../store/store-worker.js',
  ],
  ['store/planted.ts', "import fastify from 'fastify';\n", 'imports fastify'],
  ['cli/planted.ts', "import { start } from '../control/server.js';\n", 'imports ../control/server.js'],
  ['cli/planted.ts', "export { Sqlite } from '../store/driver.js';\n", 'imports ../store/driver.js'],
  ['cli/planted.ts', "import { Sqlite } from '#dist/store/driver.js';\n", 'imports #dist/store/driver.js'],
  ['cli/planted.ts', "import { Sqlite } from '../../dist/store/driver.js';\n", 'imports ../../dist/store/driver.js'],
  ['client/planted.ts', "import { z } from 'zod';\n", 'imports zod'],
  ['client/planted.ts', "import { createRequire } from 'node:module';\n", 'imports node:module'],
  ['client/planted.ts', "const name = 'zod';\nawait import(name);\n", 'imports a computed name'],
  ['control/contract/planted.ts', "import { serve } from '../server.js';\n", 'imports ../server.js'],
  ['config/planted.ts', "import { start } from '../main.js';\n", 'imports ../main.js'],
  ['planted.ts', "import { test } from 'vitest';\n", 'imports vitest'],
  ['phone-book/planted.ts', "import { parse } from '../core/address.js';\n", 'the folder phone-book is not in'],
  ['core/planted.js', "import 'node:fs';\n", 'only TypeScript belongs here'],
];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-imports-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the tree: all of it, or only the files whose path passes. */
function copyTree(name: string, passes: (path: string) => boolean = () => true): string {
  const root = join(folder, name);
  const filter = (path: string) => statSync(path).isDirectory() || passes(path);
  cpSync(join(ROOT, 'src'), join(root, 'src'), { recursive: true, filter });
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  return root;
}

function check(root: string): { readonly status: number | null; readonly lines: readonly string[] } {
  const { status, stdout } = spawnSync(process.execPath, [CHECK, root], { encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n') };
}

describe('the import direction', () => {
  test('holds in the tree as it is, of which every file is read', () => {
    const { status, lines } = check(ROOT);
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^\\d+ imports in ${sources.length} files read, 0 problems$`));
    expect(status).toBe(0);
  });

  test('fails for one violation', () => {
    const root = copyTree('one');
    writeFileSync(join(root, 'src/core/planted.ts'), "import { readFileSync } from 'node:fs';\n");
    const { status, lines } = check(root);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^src\/core\/planted\.ts:1: imports node:fs: /);
    expect(status).toBe(1);
  });

  describe('is broken by', () => {
    let lines: readonly string[];
    // One violation to a file, all in one tree: a run of the check takes half a second.
    const plantedAt = (index: number) => VIOLATIONS[index]?.[0].replace(/planted/, `planted-${index}`) ?? '';

    beforeAll(() => {
      const root = copyTree('all');
      for (const [index, [, text]] of VIOLATIONS.entries()) {
        const planted = join(root, 'src', plantedAt(index));
        mkdirSync(dirname(planted), { recursive: true });
        writeFileSync(planted, text);
      }
      lines = check(root).lines;
    });

    test.each(VIOLATIONS.map(([path, text, said], index) => ({ path, text, said, index })))(
      'src/$path: $text',
      ({ said, index }) => {
        const found = lines.filter((line) => line.startsWith(`src/${plantedAt(index)}:`));
        expect(found).toHaveLength(1);
        expect(found[0]).toContain(said);
      },
    );

    test('nothing else in that tree', () => {
      expect(lines).toHaveLength(VIOLATIONS.length + 1);
    });
  });

  test('is broken by a tsconfig.json that lets the compiler pass more', () => {
    const root = copyTree('references');
    const references = ['core', 'config', 'netlink', 'firewall'].map((name) => ({ path: `../${name}` }));
    writeFileSync(join(root, 'src/knock/tsconfig.json'), JSON.stringify({ references }));
    const { status, lines } = check(root);
    expect(lines[0]).toContain('src/knock/tsconfig.json: references only core, config, netlink, firewall');
    expect(status).toBe(1);
  });

  test('is not said to hold where no source was read', () => {
    const { status, lines } = check(copyTree('empty', (path) => path.endsWith('tsconfig.json')));
    expect(lines[0]).toBe('nothing was read: the check itself is broken');
    expect(status).toBe(1);
  });
});
