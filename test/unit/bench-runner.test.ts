import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIGURE = "{ id: 'f', title: 'F', value: 1, unit: 'ms', goal: { most: 2 } }";

/** Runs every scenario there is and prints the result. */
const RUN = `
  import { Bench } from './scripts/bench/bench.mjs';
  import { loadScenarios } from './scripts/bench/scenarios.mjs';
  const bench = new Bench({ scenarios: await loadScenarios(), peers: { missing: 'none here' }, quick: true });
  process.stdout.write(JSON.stringify(await bench.run()));
`;

interface Result {
  readonly quick: boolean;
  readonly host: Readonly<Record<string, unknown>>;
  readonly scenarios: readonly {
    readonly id: string;
    readonly failed?: string;
    readonly figures?: readonly { readonly value: number }[];
    readonly notes?: readonly string[];
  }[];
}

/** A copy of the scripts with scenarios of the test's own. */
let checkout: string;
let temporary: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'sallyport-bench-runner-'));
  temporary = join(checkout, 'tmp');
  mkdirSync(temporary);
  cpSync(join(ROOT, 'scripts'), join(checkout, 'scripts'), {
    recursive: true,
    filter: (path) => !path.includes('bench/scenarios/'),
  });
  writeFileSync(join(checkout, 'run.mjs'), RUN);
});

afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function scenario(id: string, body: string) {
  const text = `export const scenario = { id: '${id}', title: 'T ${id}', minutes: 1, run: async (tools) => { ${body} } };`;
  writeFileSync(join(checkout, 'scripts', 'bench', 'scenarios', `${id}.mjs`), text);
}

function start(): ChildProcess {
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(process.execPath, ['run.mjs'], { cwd: checkout, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function ended(child: ChildProcess) {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (piece) => {
    stdout += piece;
  });
  child.stderr?.on('data', (piece) => {
    stderr += piece;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (...how) => resolve(how)),
  );
  return { code, signal, stdout, stderr };
}

async function results(): Promise<{ result: Result; stderr: string }> {
  const { stdout, stderr } = await ended(start());
  return { result: JSON.parse(stdout) as Result, stderr };
}

describe('the bench', () => {
  test('goes on after a scenario that fails, whatever way it does, and says which', async () => {
    scenario('a-throws', "throw new Error('no such device');");
    scenario('b-dies', "setImmediate(() => { throw new Error('outside'); }); await new Promise(() => {});");
    scenario('c-exits', 'process.exit(0);');
    scenario('d-no-number', "return { figures: [{ id: 'f', title: 'F', value: 'much', unit: '' }] };");
    scenario('e-leaves-a-timer', `setInterval(() => {}, 1000); return { figures: [${FIGURE}] };`);
    const { result, stderr } = await results();
    expect(result.scenarios.map(({ id, failed }) => [id, failed])).toEqual([
      ['a-throws', 'no such device'],
      ['b-dies', 'its process ended with status 1; see above'],
      ['c-exits', 'its process ended with status 0; see above'],
      ['d-no-number', 'figure f is much'],
      ['e-leaves-a-timer', undefined],
    ]);
    expect(result.scenarios[4]?.figures).toMatchObject([{ value: 1 }]);
    expect(stderr).toContain('[5/5] T e-leaves-a-timer');
    expect(stderr).toContain('FAILED: no such device');
  });

  test('hands a scenario what it needs, and removes its directory afterwards', async () => {
    scenario(
      'tools',
      `const { writeFileSync } = await import('node:fs');
       writeFileSync(tools.directory + '/file', '');
       tools.progress.part('half way');
       console.log('printed by mistake');
       return { figures: [${FIGURE}], notes: [String(tools.quick), tools.peers.missing] };`,
    );
    const { result, stderr } = await results();
    expect(result.scenarios[0]?.notes).toEqual(['true', 'none here']);
    expect(stderr).toContain('half way');
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('names the machine by what figures depend on, and by nothing that identifies it', async () => {
    scenario('one', `return { figures: [${FIGURE}] };`);
    const { result } = await results();
    expect(Object.keys(result.host)).toEqual(['cpus', 'cpu', 'memory', 'kernel', 'node']);
    expect(result.host.kernel).toMatch(/^[\d.]+$/);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('ends on %s, with the scenario and what it made', async (signal) => {
    scenario(
      'waits',
      `const { writeFileSync } = await import('node:fs');
       writeFileSync('${checkout}/pid', String(process.pid));
       setInterval(() => {}, 1000);
       await new Promise(() => {});`,
    );
    scenario('z-next', `return { figures: [${FIGURE}] };`);
    const child = start();
    const end = ended(child);
    while (!existsSync(join(checkout, 'pid')) || readFileSync(join(checkout, 'pid'), 'utf8') === '')
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(readdirSync(temporary)).toHaveLength(1);
    child.kill(signal);
    const { stdout, signal: by } = await end;
    expect(by).toBe(signal);
    expect(stdout).toBe('');
    expect(readdirSync(temporary)).toEqual([]);
    const pid = Number(readFileSync(join(checkout, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
