/**
 * `npm run bench [-- --quick]`: measures the gateway beside what people use today, in one run on one machine. Absolute
 * figures drift with the machine; the ratios are what counts. The result is kept in .cache/bench/latest.json.
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { Progress } from './bench/progress.mjs';
import { openingReport } from './bench/report.mjs';
import { AS_ROOT, at, shown, writeOwned } from './lib/checkout.mjs';
import { fetchPeers } from './lib/peers.mjs';
import { say } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';

const RESULT = at('.cache', 'bench', 'latest.json');

await runScript(async () => {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
  if (!AS_ROOT) {
    process.stderr.write('The bench makes network namespaces, which only root may; try: sudo npm run bench\n');
    return 1;
  }
  await setUp();
  const peers = await fetchPeers();
  if (peers.missing) say(`left out: ${peers.missing}`);
  // It needs a package that the set-up may only just have installed.
  const { measureOpening } = await import('./bench/opening.mjs');
  const opening = await measureOpening({ quick: values.quick, progress: new Progress(), peers });
  const host = { cpus: cpus().length, cpu: cpus()[0]?.model.trim(), kernel: release(), node: process.version };
  writeOwned(
    RESULT,
    `${JSON.stringify({ at: new Date().toISOString(), quick: values.quick, host, opening }, null, 2)}\n`,
  );
  const isColored = process.stdout.isTTY === true && !process.env.NO_COLOR;
  process.stdout.write(`\n${openingReport(opening, isColored)}\n\nAll samples: ${shown(RESULT)}\n`);
  return undefined;
});
