/** SQLite's native part: the ready-made binary where one can be had, otherwise compiled here. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasProgram, installWithApt } from './apt.mjs';
import { at, readIfThere } from './checkout.mjs';
import { npmCommand } from './npm.mjs';
import { run, SetupError } from './run.mjs';

/** The package for this Node, chosen as the store chooses: no one major runs on every Node. */
export const SQLITE = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi10' : 'better-sqlite3';

const COMPILER = ['python3', 'make', 'g++'].map((program) => [program, program]);
const FETCHER = at('node_modules/prebuild-install/bin.js');

/** Makes SQLite load in this Node. */
export async function ensureSqlite() {
  const probe = [process.execPath, '-e', `new (require(${JSON.stringify(SQLITE)}))(':memory:').close()`];
  const loads = async () => (await run('', probe, { quiet: true })).code === 0;
  if (await loads()) return;
  if ((await fetchBinary()) && (await loads())) return;
  if (!COMPILER.every(([program]) => hasProgram(program))) {
    await installWithApt(COMPILER, 'SQLite has no ready-made binary for this machine, so it is compiled');
  }
  if ((await compile()) && (await loads())) return;
  const fix =
    'It needs python3, make and g++, or a way to github.com for the ready-made one. Details: .cache/setup.log';
  throw new SetupError(`SQLite (${SQLITE}) could be neither fetched nor compiled for this Node`, fix);
}

/** Asks for the binary that the package's own install script would fetch. */
async function fetchBinary() {
  if (SQLITE !== 'better-sqlite3' || !existsSync(FETCHER)) return false;
  const options = { cwd: at('node_modules', SQLITE) };
  return (await run('SQLite, ready-made for this Node', [process.execPath, FETCHER], options)).code === 0;
}

async function compile() {
  const argv = [...(await npmCommand()), 'rebuild', SQLITE, '--no-ignore-scripts', '--foreground-scripts'];
  const env = { ...nodeHeaders(), JOBS: 'max' };
  return (await run('SQLite, compiled for this Node (a minute or two)', argv, { env })).code === 0;
}

/** Where Node's headers lie beside it, node-gyp need not fetch them from the network. */
function nodeHeaders() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = readIfThere(join(prefix, 'include/node/node_version.h')) ?? '';
  const number = (part) => header.match(new RegExp(`#define NODE_${part}_VERSION (\\d+)`))?.[1];
  const version = [number('MAJOR'), number('MINOR'), number('PATCH')].join('.');
  if (version !== process.versions.node || !existsSync(join(prefix, 'include/node/common.gypi'))) return {};
  return { npm_package_config_node_gyp_nodedir: prefix };
}
