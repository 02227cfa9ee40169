import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, namedStateDirectory, readConfig } from '../../src/config/load.ts';
import { LEAST, SAMPLE } from '../support/config-sample.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function written(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

describe('a configuration file', () => {
  it('is loaded', async () => {
    expect((await loadConfig(written('good.yaml', SAMPLE))).grants.ttl).toBe(3_600_000);
    expect((await loadConfig(written('bom.yaml', `\ufeff${LEAST}`))).version).toBe(1);
  });

  it('that is not there is SP_CONFIG_MISSING', async () => {
    const file = join(directory, 'none.yaml');
    await expect(loadConfig(file)).rejects.toMatchObject({
      code: 'SP_CONFIG_MISSING',
      message: expect.stringContaining(file),
    });
    await expect(loadConfig(join(written('plain', ''), 'below.yaml'))).rejects.toMatchObject({
      code: 'SP_CONFIG_MISSING',
    });
  });

  it('that is no file is SP_CONFIG_UNREADABLE, even a FIFO that nobody writes to', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const path of [directory, fifo, '/dev/zero']) {
      await expect(loadConfig(path)).rejects.toMatchObject({ code: 'SP_CONFIG_UNREADABLE' });
    }
  });

  it('with problems is SP_CONFIG_INVALID: the first with its line, and how many more', async () => {
    const one = written('one.yaml', `${LEAST}grants: {ttl: 3x}\n`);
    await expect(loadConfig(one)).rejects.toMatchObject({
      code: 'SP_CONFIG_INVALID',
      message: `${one}:4 grants.ttl: "3x" is not a duration (try 90s, 15m, 8h)`,
    });
    const three = written('three.yaml', `${LEAST}grants: {ttl: 3x}\na: 1\nlog: {level: x}\n`);
    await expect(loadConfig(three)).rejects.toMatchObject({
      message: expect.stringMatching(/:4 grants.ttl: .* \(and 2 more\)$/),
    });
    expect(await readConfig(three)).toMatchObject({ ok: false, problems: [{ line: 4 }, { line: 5 }, { line: 6 }] });
  });

  it('tells where the state lies however broken the rest of it is, and nothing where it does not say', async () => {
    const broken = written('broken.yaml', 'state: {directory: /srv/state}\ngrants: {ttl: 3x}\nunknown: 1\n');
    expect(await namedStateDirectory(broken)).toBe('/srv/state');
    for (const text of [
      '',
      'state:\n',
      'state: [1]\n',
      'state: {directory: 7}\n',
      'state: {directory: here}\n',
      '{[',
    ]) {
      expect(await namedStateDirectory(written('vague.yaml', text))).toBeUndefined();
    }
    expect(await namedStateDirectory(join(directory, 'none.yaml'))).toBeUndefined();
    expect(await namedStateDirectory(directory)).toBeUndefined();
  });

  it('that is not UTF-8 is refused at the line', async () => {
    const bytes = Buffer.concat([Buffer.from(LEAST), Buffer.from('# caf\xe9\n', 'latin1')]);
    const file = written('latin1.yaml', bytes);
    expect(await readConfig(file)).toEqual({
      ok: false,
      problems: [{ file, line: 4, column: 1, path: '', message: 'this is not UTF-8 text' }],
    });
  });

  it('of more than 1 MB is refused, whatever its characters', async () => {
    for (const content of [`${LEAST}#${'x'.repeat(1_048_576)}`, `${LEAST}#${'ü'.repeat(600_000)}`]) {
      await expect(loadConfig(written('large.yaml', content))).rejects.toMatchObject({
        code: 'SP_CONFIG_INVALID',
        message: expect.stringContaining('larger than 1 MB'),
      });
    }
  });
});
