/** `npm run check`: every check that needs no running of the product. All of them run, whatever the first ones say. */
import { readdirSync } from 'node:fs';
import { ensureBuild } from './lib/build.mjs';
import { at, giveBack } from './lib/checkout.mjs';
import { run, SetupError } from './lib/run.mjs';
import { runScript, setUp } from './lib/setup.mjs';

const TYPESCRIPT = at('node_modules/typescript/bin/tsc');

const CHECKS = [
  ['types of the sources', build],
  ['types of the tests', () => program(TYPESCRIPT, '-p', at('test'))],
  ['style and lint', () => program(at('node_modules/@biomejs/biome/bin/biome'), 'ci', '--colors=off')],
  ['import direction', () => program(at('scripts/check-imports.mjs'))],
  ['dead code', () => program(at('node_modules/knip/bin/knip.js'), '--no-progress', '--treat-config-hints-as-errors')],
  ...generators().map((name) => [`docs match the code (${name})`, () => program(at('scripts', name), '--check')]),
];

await runScript(async () => {
  await setUp({ build: false, hostTools: false });
  const failed = [];
  for (const [title, check] of CHECKS) {
    const started = performance.now();
    const { code, output } = await check();
    const took = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${took.padStart(5)} s  ${title}`);
    if (code !== 0) failed.push([title, output]);
  }
  giveBack('.cache', 'dist');
  for (const [title, output] of failed) console.log(`\n--- ${title}\n${output.trim()}`);
  console.log(`\n${CHECKS.length - failed.length} of ${CHECKS.length} checks passed`);
  return failed.length === 0 ? 0 : 1;
});

/** The scripts that write a page of docs from the code; with --check they only compare. */
function generators() {
  return readdirSync(at('scripts'))
    .filter((name) => /^generate-.*\.mjs$/.test(name))
    .sort();
}

function program(...argv) {
  return run('', [process.execPath, ...argv], { quiet: true, env: { NO_COLOR: '1' } });
}

async function build() {
  try {
    await ensureBuild({ force: true, quiet: true });
    return { code: 0, output: '' };
  } catch (error) {
    if (error instanceof SetupError) return { code: 1, output: error.output || error.message };
    throw error;
  }
}
