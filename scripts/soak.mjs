/**
 * `npm run soak [-- --only kill,hour] [--minutes 60] [--rounds 200] [--quick]`: what only shows when the gateway is kept
 * at it, or hit again and again. The figures and samples are kept in .cache/soak/latest.json; exit status 1 where a goal
 * is missed.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Progress } from './bench/progress.mjs';
import { AS_ROOT, at, shown, writeOwned } from './lib/checkout.mjs';
import { SetupError } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';
import { isMet, soakReport } from './soak/report.mjs';

const RESULT = at('.cache', 'soak', 'latest.json');
/** In the order in which they run: what is quick to fail first. */
const SCENARIOS = ['fuzz', 'kill', 'hour'];

await runScript(async () => {
  const options = readOptions();
  if (!AS_ROOT) {
    process.stderr.write('The soak makes network namespaces, which only root may; try: sudo npm run soak\n');
    return 1;
  }
  await setUp();
  const directory = workDirectory();
  const progress = new Progress();
  const results = [];
  for (const scenario of await load(options.only)) {
    progress.part(
      `${scenario.title} (about ${options.quick ? 'a few' : (options.minutes ?? scenario.minutes)} minutes)`,
    );
    results.push(
      await run(scenario, { quick: options.quick, progress, directory: join(directory, scenario.id), options }),
    );
    progress.end();
    keep(options, results);
  }
  const isColored = process.stdout.isTTY === true && !process.env.NO_COLOR;
  process.stdout.write(`\n${soakReport(results, isColored)}\n\nAll samples: ${shown(RESULT)}\n`);
  return results.every(({ failed, figures }) => failed === undefined && figures.every(isMet)) ? 0 : 1;
});

function readOptions() {
  const known = {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    rounds: { type: 'string' },
    rate: { type: 'string' },
    sources: { type: 'string' },
    ttl: { type: 'string' },
  };
  const { values } = parseArgs({ options: known });
  const number = (name) => {
    if (values[name] === undefined) return undefined;
    const value = Number(values[name]);
    if (value > 0) return value;
    throw new SetupError(`--${name} is not a number above 0: ${values[name]}`, 'Write it in digits.');
  };
  const only = values.only?.split(',') ?? SCENARIOS;
  const unknown = only.filter((id) => !SCENARIOS.includes(id));
  if (unknown.length > 0)
    throw new SetupError(`there is no scenario ${unknown.join(', ')}`, `Try ${SCENARIOS.join(', ')}.`);
  return {
    only,
    quick: values.quick,
    minutes: number('minutes'),
    rounds: number('rounds'),
    rate: number('rate'),
    sources: number('sources'),
    ttl: number('ttl'),
  };
}

/**
 * A scenario is a module of scripts/soak with `export const scenario = { id, title, minutes, run }`; `run` is handed
 * `{ quick, progress, directory, options }` and gives `{ figures: [{ id, title, value, unit, goal?: { most?, least? } }],
 * samples?, notes? }`.
 */
async function load(ids) {
  const there = SCENARIOS.filter((id) => ids.includes(id) && existsSync(at('scripts', 'soak', `${id}.mjs`)));
  // They need packages that the set-up may only just have installed.
  return await Promise.all(there.map(async (id) => (await import(`./soak/${id}.mjs`)).scenario));
}

async function run(scenario, given) {
  const { id, title } = scenario;
  const startedAt = new Date().toISOString();
  try {
    const { figures, samples, notes } = await scenario.run(given);
    return { id, title, startedAt, endedAt: new Date().toISOString(), figures, samples, notes: notes ?? [] };
  } catch (error) {
    return { id, title, startedAt, endedAt: new Date().toISOString(), figures: [], notes: [], failed: error.stack };
  }
}

function keep({ quick }, scenarios) {
  const host = { cpus: cpus().length, cpu: cpus()[0]?.model.trim(), kernel: release(), node: process.version };
  writeOwned(RESULT, `${JSON.stringify({ at: new Date().toISOString(), quick, host, scenarios }, null, 2)}\n`);
}

/** For the state, sockets and programs of the scenarios; gone at the end, however it comes. */
function workDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-soak-'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
