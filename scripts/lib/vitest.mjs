/** Runs vitest and counts what came of it. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { at, CACHE, makeFolder, readIfThere } from './checkout.mjs';

const REPORTER = fileURLToPath(new URL('test-reporter.mjs', import.meta.url));
const VITEST = at('node_modules/vitest/vitest.mjs');
const SUMMARY = at('.cache', 'test-summary.json');

/**
 * @param {string[]} args of vitest: filters and options
 * @param {Record<string, string>} [env] added to the environment of the tests
 * @returns {Promise<{passed: number, failed: number, skipped: {name: string, reason: string}[]}>}
 */
export async function runVitest(args, env = {}) {
  makeFolder(CACHE);
  rmSync(SUMMARY, { force: true });
  const reporters = ['default', 'json', REPORTER].map((name) => `--reporter=${name}`);
  const results = `--outputFile.json=${at('.cache', 'test-results.json')}`;
  const code = await vitest(['run', ...reporters, results, ...args], { SALLYPORT_TEST_SUMMARY: SUMMARY, ...env });
  const summary = JSON.parse(readIfThere(SUMMARY) ?? '{"passed":0,"failed":0,"skipped":[]}');
  // vitest itself may fail where no test did: a broken configuration, a crash, a signal.
  if (code !== 0 && summary.failed === 0) summary.failed = 1;
  return summary;
}

/** The tests of a project that is not run, as skipped for the given reason; a file that does not load is a failure. */
export async function skippedProject(project, reason, args) {
  const list = at('.cache', 'test-list.json');
  rmSync(list, { force: true });
  const code = await vitest(['list', `--project=${project}`, `--json=${list}`, '--passWithNoTests', ...args], {});
  const tests = JSON.parse(readIfThere(list) ?? '[]');
  return {
    passed: 0,
    failed: code === 0 ? 0 : 1,
    skipped: tests.map(({ name, file }) => ({ name: `${file} > ${name}`, reason })),
  };
}

/** The last lines of a run: each skipped test with its reason, then the count on a line alone. */
export function summaryLines({ passed, failed, skipped }) {
  const lines = skipped.map(({ name, reason }) => `skipped: ${name.replace(`${at()}/`, '')}: ${reason}`);
  return [...lines, `${passed} passed, ${failed} failed, ${skipped.length} skipped`];
}

function vitest(args, env) {
  const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
  const child = spawn(process.execPath, [VITEST, ...args], {
    cwd: at(),
    stdio: 'inherit',
    env: { ...process.env, ...plain, ...env },
  });
  const pass = (signal) => child.kill(signal);
  process.on('SIGTERM', pass).on('SIGINT', pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('SIGTERM', pass).off('SIGINT', pass);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
