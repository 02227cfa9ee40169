import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { type Io, type OfflineCommands, runCli } from '../../src/cli/index.ts';

const loaded = vi.hoisted(() => new Set<string>());
vi.mock('zod', async (original) => {
  loaded.add('zod');
  return original();
});
vi.mock('node:http', async (original) => {
  loaded.add('node:http');
  return original();
});
vi.mock('cli-table3', async (original) => {
  loaded.add('cli-table3');
  return original();
});

const io: Io = {
  stdin: new PassThrough(),
  stdout: { write: () => true },
  stderr: { write: () => true },
  env: {},
  version: '0.1.0',
  renderCard: () => '',
  onInterrupt: () => () => {},
};
const offline = { controlSocket: async () => '/nonexistent/control.sock' } as unknown as OfflineCommands;

it('help, bad usage and offline commands load nothing that is heavy', async () => {
  for (const argv of [['--help'], ['user', 'add', '--help'], ['nonsense'], []]) await runCli(argv, io, offline);
  expect([...loaded]).toEqual([]);
  expect(await runCli(['status'], io, offline)).toBe(1);
  expect([...loaded].sort()).toEqual(['node:http', 'zod']);
});
