import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Metafile {
  inputs: Record<string, unknown>;
  outputs: Record<string, { imports: { path: string }[] }>;
}

interface BuildScript {
  buildClient(outfile: string): Promise<string>;
  problemsOf(metafile: Metafile): string[];
}

const script = new URL('../../scripts/build-client.mjs', import.meta.url).href;

describe('the client in one file', () => {
  let folder: string;
  let file: string;
  let built: BuildScript;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
    file = join(folder, 'client.mjs');
    built = await import(script);
    await built.buildClient(file);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const start = (argv: readonly string[]) =>
    spawnSync(process.execPath, [file, ...argv], { encoding: 'utf8', cwd: folder, env: { PATH: process.env.PATH } });

  it('is executable and imports modules of Node alone', () => {
    const text = readFileSync(file, 'utf8');
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(statSync(file).mode & 0o111).toBe(0o111);
    const imported = [...text.matchAll(/^import .* from "([^"]+)";$/gm)].map(([, name]) => name);
    expect(imported.length).toBeGreaterThan(3);
    for (const name of imported) expect(name).toMatch(/^node:/);
  });

  it('runs where nothing is installed', () => {
    expect(start(['knock', '--help'])).toMatchObject({ status: 0, stderr: '' });
    expect(start(['pair', '--help'])).toMatchObject({ status: 0, stderr: '' });
    expect(start(['--help']).stdout).toMatch(/knock HOST.*pair HOST/s);
    const wrong = start(['knock', 'office']);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toMatch(/^SP_USAGE: [^\n]+\n$/);
    expect(start(['open', 'sesame'])).toMatchObject({ status: 2, stdout: '' });
    expect(start([])).toMatchObject({ status: 2, stdout: '' });
  });

  it('is not built with a package, another folder or nothing in it', () => {
    const good = (): Metafile => ({
      inputs: { 'src/client/standalone.ts': {}, 'src/core/errors.ts': {} },
      outputs: { 'client.mjs': { imports: [{ path: 'node:net' }] } },
    });
    expect(built.problemsOf(good())).toEqual([]);
    const problems = (change: (metafile: Metafile) => void) => {
      const metafile = good();
      change(metafile);
      return built.problemsOf(metafile).join();
    };
    expect(problems(({ inputs }) => Object.assign(inputs, { 'node_modules/zod/index.js': {} }))).toContain('zod');
    expect(problems(({ inputs }) => Object.assign(inputs, { 'src/firewall/nft.ts': {} }))).toContain('firewall');
    expect(problems(({ outputs }) => outputs['client.mjs']?.imports.push({ path: 'zod' }))).toContain('imports zod');
    expect(problems((metafile) => Object.assign(metafile, { inputs: {}, outputs: {} }))).toContain('not built');
  });
});
