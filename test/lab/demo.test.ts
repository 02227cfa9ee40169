import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const DEMO = fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url));

/** A run of the demo, as it goes. */
class Run {
  output = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #onOutput: () => void = () => undefined;

  constructor(nodeOptions: readonly string[] = []) {
    const env = { ...process.env, NO_COLOR: '1' };
    this.#child = spawn(process.execPath, [...nodeOptions, DEMO], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const read = (text: Buffer) => {
      this.output += text.toString();
      this.#onOutput();
    };
    this.#child.stdout?.on('data', read);
    this.#child.stderr?.on('data', read);
    this.#ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code)));
  }

  /** Resolves when a text was printed; false where the demo ended without it. */
  printed(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#onOutput = () => this.output.includes(text) && resolve(true);
      this.#onOutput();
      void this.#ended.then(() => resolve(this.output.includes(text)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** What the names of its namespaces and files begin with. */
  get prefix(): string {
    return /ip netns exec (spd\w+)-gateway/.exec(this.output)?.[1] ?? 'no namespace was named';
  }

  get claims(): string[] {
    return this.output.split('\n').filter((line) => /^ {4}(✔ seen|✖ NOT SEEN) {2}/.test(line));
  }

  /** Namespaces, temporary files and processes of this run that are still there. */
  leftovers(): string[] {
    const names = [...entries('/run/netns'), ...entries(tmpdir())].filter((name) => name.startsWith(this.prefix));
    const processes = entries('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(this.prefix));
    return [...names, ...processes.map((pid) => `${pid} ${commandLine(pid)}`)];
  }
}

describe('the demo', () => {
  it('tells the whole story within a minute, sees every claim, and leaves nothing behind', async () => {
    const started = performance.now();
    const run = new Run();
    expect(await run.ended(), run.output).toBe(0);
    expect(performance.now() - started).toBeLessThan(60_000);
    const scenes = run.output.split('\n').filter((line) => /^ \d\. /.test(line));
    expect(scenes).toHaveLength(9);
    expect(run.claims.length).toBeGreaterThan(20);
    expect(run.claims.filter((line) => !line.includes('✔ seen'))).toEqual([]);
    expect(run.output).toContain('27,000 packets opened nothing');
    expect(run.output).not.toContain('\u001b');
    expect(run.leftovers()).toEqual([]);
  });

  it('fails where a claim does not hold: a stranger who is refused knows that something is there', async () => {
    const run = new Run();
    await run.printed('2. The gateway starts');
    const rules =
      'table inet saboteur { chain first { type filter hook prerouting priority -300; tcp dport 22 ip saddr 10.77.0.3 reject with tcp reset; }; }';
    execFileSync('ip', ['netns', 'exec', `${run.prefix}-gateway`, 'nft', rules]);
    expect(await run.ended()).toBe(1);
    expect(run.claims.at(-1)).toMatch(/NOT SEEN {2}the stranger .*\(refused\)/);
    expect(run.output).toContain('this was not seen: the stranger');
    expect(run.leftovers()).toEqual([]);
  });

  it('cleans up when it is interrupted', async () => {
    const run = new Run();
    await run.printed('3. Nobody gets an answer any more');
    expect(run.leftovers().length).toBeGreaterThan(4);
    run.signal('SIGINT');
    expect(await run.ended()).toBe(130);
    expect(run.leftovers()).toEqual([]);
  });

  it('says in one sentence that it needs root', async () => {
    const run = new Run(['--import', 'data:text/javascript,process.getuid=()=>1000']);
    expect(await run.ended()).toBe(1);
    expect(run.output.trim().split('\n')).toEqual([
      'The demo makes network namespaces, which only root may; try: sudo npm run demo',
    ]);
  });
});

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}
