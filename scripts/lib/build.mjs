/** Compiles src into dist, only when a source has changed since the last time. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { at, ROOT, readIfThere, writeOwned } from './checkout.mjs';
import { run, SetupError } from './run.mjs';

const STAMP = at('.cache', 'build.stamp');
const MAIN = at('dist', 'main.js');
const CLIENT_BUNDLER = at('scripts', 'build-client.mjs');

/** Builds what is out of date; `force` runs the compiler in any case. A SetupError holds what the compiler said. */
export async function ensureBuild({ force = false, quiet = false } = {}) {
  const sources = listSources();
  const hash = hashOf(sources);
  const last = JSON.parse(readIfThere(STAMP) ?? 'null');
  if (!force && last?.hash === hash && existsSync(MAIN)) return;
  // The compiler leaves the output of a source that is gone: an import of it would go on working here alone.
  const known = new Set(sources);
  if (!last || last.sources.some((path) => !known.has(path))) rmSync(at('dist'), { recursive: true, force: true });
  writeOwned(STAMP, JSON.stringify({ hash: 'unfinished', sources }));
  const why = last ? 'sources have changed' : 'there is none yet';
  await step(`build (${why})`, [process.execPath, at('node_modules/typescript/bin/tsc'), '-b'], quiet);
  if (existsSync(CLIENT_BUNDLER)) await step('client in one file', [process.execPath, CLIENT_BUNDLER], quiet);
  if (existsSync(MAIN)) chmodSync(MAIN, 0o755);
  writeOwned(STAMP, JSON.stringify({ hash, sources }));
}

async function step(what, argv, quiet) {
  const { code, output } = await run(what, argv, { quiet });
  if (code === 0) return;
  throw new SetupError(`${what.replace(/ \(.*/, '')} failed`, 'Mend what is named above and run this again.', output);
}

function listSources() {
  const inSrc = readdirSync(at('src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .sort();
  const around = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json', 'scripts/build-client.mjs'];
  return [...inSrc, ...around.filter((path) => existsSync(at(path)))];
}

function hashOf(sources) {
  const hash = createHash('sha256');
  for (const path of sources)
    hash
      .update(`${path}\0`)
      .update(readFileSync(at(path)))
      .update('\0');
  return hash.digest('hex');
}
