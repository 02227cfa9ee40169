/**
 * Writes docs/performance.md, its plots and README's table from docs/performance.json, which `npm run bench -- --keep`
 * writes; with --check it only compares.
 */
import { stalePerformance, writePerformance } from './bench/keep.mjs';
import { SetupError } from './lib/run.mjs';
import { runScript } from './lib/setup.mjs';

await runScript(() => {
  if (!process.argv.includes('--check')) return void writePerformance();
  const stale = stalePerformance();
  if (stale.length === 0) return;
  const fix = 'Run: node scripts/generate-performance-docs.mjs';
  throw new SetupError(`${stale.join(', ')}: differs from docs/performance.json`, fix);
});
