/**
 * Kills the daemon again and again, with its disk full now and then. The rounds are those of the lab's own tests, with
 * more of them: one implementation, in TypeScript on the lab harness, which Node 20 cannot run without vitest.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib/checkout.mjs';
import { exitCode } from '../lib/namespaces.mjs';
import { copyProgram } from './program.mjs';

const VITEST = at('node_modules/vitest/vitest.mjs');
const ROUNDS = 200;
/** So many rounds of the first kind are one of the second. */
const TO_DISK_ROUNDS = 4;
const LOOK_MS = 1000;

export const scenario = {
  id: 'kill',
  title: 'Killed at random moments, and with the disk filling up',
  minutes: 10,
  async run({ quick, progress, directory, options }) {
    const rounds = options.rounds ?? (quick ? 20 : ROUNDS);
    const diskRounds = Math.max(1, Math.round(rounds / TO_DISK_ROUNDS));
    const seed = randomBytes(4).readUInt32LE();
    const main = copyProgram(join(directory, 'program'));
    const common = { main, seed, directory, progress };
    const kills = await runRounds({ ...common, name: 'sigkill', variable: 'LAB_KILL_ROUNDS', rounds });
    const full = await runRounds({
      ...common,
      name: 'full-disk-kill',
      variable: 'LAB_DISK_ROUNDS',
      rounds: diskRounds,
    });
    const none = { most: 0 };
    return {
      figures: [
        {
          id: 'kill_rounds',
          title: 'rounds of SIGKILL that kept every promise',
          value: kills.done,
          unit: '',
          goal: { least: rounds },
        },
        { id: 'kill_broken', title: 'broken promises and disagreements', value: kills.failed, unit: '', goal: none },
        { id: 'kill_acknowledged', title: 'lasting grants acknowledged', value: kills.counts.acknowledged, unit: '' },
        { id: 'kill_users', title: 'users who came and went', value: kills.counts.users, unit: '' },
        {
          id: 'disk_rounds',
          title: 'rounds with a full disk that kept every promise',
          value: full.done,
          unit: '',
          goal: { least: diskRounds },
        },
        { id: 'disk_broken', title: 'broken promises and disagreements', value: full.failed, unit: '', goal: none },
        { id: 'disk_acknowledged', title: 'lasting grants acknowledged', value: full.counts.acknowledged, unit: '' },
        {
          id: 'disk_refusals',
          title: 'starts refused for the full disk, with the guard up',
          value: full.counts.refusals,
          unit: '',
        },
      ],
      samples: { seed, kills: kills.counts, full: full.counts },
      notes: [`seed ${seed}`, ...kills.output, ...full.output],
    };
  },
};

/** Runs one file of tests; `done`: its rounds; `output`: what it said, where it failed. */
async function runRounds({ name, variable, rounds, main, seed, directory, progress }) {
  const home = join(directory, name);
  mkdirSync(home, { recursive: true });
  const [news, said] = ['news', 'said'].map((file) => join(home, file));
  const prefix = `sk${randomBytes(2).toString('hex')}`;
  progress.part(`${name}: ${rounds} rounds`);
  const env = {
    ...process.env,
    NO_COLOR: '1',
    TMPDIR: home,
    LAB_MAIN: main,
    LAB_PREFIX: prefix,
    LAB_NEWS: news,
    LAB_SEED: String(seed),
    [variable]: String(rounds),
  };
  const file = `test/lab/${name}.test.ts`;
  // A group of its own: an interrupt of the terminal reaches us, and we end all of it.
  const child = spawn(process.execPath, [VITEST, 'run', '--project=lab', file], {
    cwd: at(),
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(said);
  for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
  const clean = () => endAll(child, prefix);
  process.on('exit', clean);
  const timer = setInterval(() => progress.step(lastStep(news), rounds), LOOK_MS);
  const code = await exitCode(child).finally(() => {
    clearInterval(timer);
    process.off('exit', clean);
    clean();
  });
  const output = code === 0 ? [] : readFileSync(said, 'utf8').split('\n').slice(-80);
  const counts = readNews(news).find((one) => one.counts !== undefined)?.counts ?? {};
  return { done: lastStep(news), failed: code === 0 ? 0 : 1, counts, output };
}

function readNews(file) {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

function lastStep(file) {
  return readNews(file).reduce((last, { step }) => step ?? last, 0);
}

/** Whatever is left of a run: its processes, and what runs in its namespaces. Synchronous, so that an exit can do it. */
function endAll(child, prefix) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {}
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const line of stdout.split('\n')) {
    const [namespace = ''] = line.split(' ');
    if (!namespace.startsWith(prefix)) continue;
    const { stdout: pids } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
    for (const pid of pids.split('\n').filter((one) => one !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {}
    }
    spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
  }
}
