/**
 * `npm run bench`: measures the gateway, beside what people use today, on this machine. Absolute figures drift with the
 * machine; the ratios within one run are what counts. The whole result is kept in .cache/bench/latest.json.
 */
import { parseArgs } from 'node:util';
import { Bench, host } from './bench/bench.mjs';
import { keep, mustFit } from './bench/keep.mjs';
import { benchReport } from './bench/report.mjs';
import { loadScenarios } from './bench/scenarios.mjs';
import { fetchAsterisk } from './lib/asterisk.mjs';
import { AS_ROOT, at, shown, writeOwned } from './lib/checkout.mjs';
import { fetchPeers } from './lib/peers.mjs';
import { SetupError, say } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';

const RESULT = at('.cache', 'bench', 'latest.json');
const PEERS = ['knockd', 'fwknop-server', 'fwknop-client', 'iptables'];
const HELP = `Usage: npm run bench [-- options]

Measures the gateway beside knockd and fwknop, and calls to it through an Asterisk of its own. Needs root: it works in
network namespaces of its own.

  --quick            fewer samples: to see that it runs, not for figures to quote
  --only <ids>       these scenarios alone, separated by commas
  --keep             writes docs/performance.json, docs/performance.md, its plots and README's table from the result;
                     with --only, the other scenarios stay as they were kept
  --list             the scenarios and how long they take
  --help

Exit status 0: everything was measured, even where a goal was missed (the table says so); 1: a scenario failed;
2: wrong usage.
`;

await runScript(async () => {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) return print(HELP);
  if (options.list) {
    await setUp({ hostTools: false });
    return print(listing(await loadScenarios()));
  }
  if (!AS_ROOT) {
    process.stderr.write('The bench makes network namespaces, which only root may; try: sudo npm run bench\n');
    return 1;
  }
  // Before the scenarios are loaded: some need packages that it may only just install.
  await setUp();
  const scenarios = chosen(await loadScenarios(), options.only);
  if (options.keep) mustFit(host(), ids(scenarios));
  const peers = await fetchPeers(PEERS);
  if (peers.missing) say(`left out: ${peers.missing}`);
  const asterisk = scenarios.some(({ needsAsterisk }) => needsAsterisk) ? await fetchAsterisk() : {};
  if (asterisk.missing) say(`left out: ${asterisk.missing}`);
  const result = await new Bench({ scenarios, peers, asterisk, quick: options.quick }).run();
  writeOwned(RESULT, `${JSON.stringify(result, null, 2)}\n`);
  const isColored = process.stdout.isTTY === true && !process.env.NO_COLOR;
  print(`\n${benchReport(result, isColored)}\n\nThe whole result: ${shown(RESULT)}\n`);
  if (options.keep) print(`Kept: ${keep(result).map(shown).join(', ')}\n`);
  return result.scenarios.every(({ failed }) => failed === undefined) ? 0 : 1;
});

function readOptions() {
  const flag = { type: 'boolean', default: false };
  try {
    const { values } = parseArgs({
      options: { quick: flag, keep: flag, list: flag, help: flag, only: { type: 'string' } },
    });
    if (!(values.keep && values.quick)) return values;
    process.stderr.write('--keep keeps figures to quote, which --quick does not give\n');
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
  }
  return undefined;
}

function chosen(scenarios, only) {
  if (only === undefined) return scenarios;
  const wanted = only.split(',');
  const unknown = wanted.filter((id) => !ids(scenarios).includes(id));
  if (unknown.length === 0) return scenarios.filter(({ id }) => wanted.includes(id));
  throw new SetupError(`there is no scenario ${unknown.join(', ')}`, `Choose from: ${ids(scenarios).join(', ')}`);
}

function ids(scenarios) {
  return scenarios.map(({ id }) => id);
}

function listing(scenarios) {
  return scenarios.map(({ id, title, minutes }) => `${id.padEnd(12)} ${title} (about ${minutes} min)\n`).join('');
}

function print(text) {
  process.stdout.write(text);
  return 0;
}
