/** The npm packages of the lock file, and SQLite's native part for this Node. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasProgram, installWithApt } from './apt.mjs';
import { at, readIfThere, writeOwned } from './checkout.mjs';
import { failure, mustRun, run, SetupError } from './run.mjs';

const STAMP = at('.cache', 'packages.stamp');
const LOCK_FILE = at('package-lock.json');
const FEW_RETRIES = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
const INSTALLED = at('node_modules', '.package-lock.json');

/** Installs what package-lock.json names where node_modules holds something else; then sees that SQLite loads. */
export async function ensurePackages() {
  const stamp = wanted();
  if (readIfThere(STAMP) === stamp && existsSync(INSTALLED)) return;
  if (!installedMatchesLock()) await installPackages();
  await ensureSqlite();
  writeOwned(STAMP, stamp);
}

/** What node_modules must fit: the lock file, and this Node, for which native parts were built. */
function wanted() {
  const lock = createHash('sha256').update(readFileSync(LOCK_FILE)).digest('hex');
  return `${lock} ${process.platform} ${process.arch} abi-${process.versions.modules}\n`;
}

function installedMatchesLock() {
  const installed = JSON.parse(readIfThere(INSTALLED) ?? '{"packages":{}}').packages;
  const locked = JSON.parse(readFileSync(LOCK_FILE, 'utf8')).packages;
  const same = (path) => installed[path]?.version === locked[path]?.version;
  // npm leaves out optional packages of other platforms.
  return (
    Object.keys(installed).every(same) &&
    Object.keys(locked).every((path) => path === '' || locked[path].optional || locked[path].peer || same(path))
  );
}

async function installPackages() {
  const why = existsSync(INSTALLED) ? 'they differ from package-lock.json' : 'there are none yet';
  // Without install scripts: only SQLite needs one, and that has a step of its own, with its own explanation.
  const flags = ['--ignore-scripts', '--include=dev', '--include=optional', ...FEW_RETRIES];
  const npm = await npmCommand();
  await mustRun(`npm packages (${why})`, [...npm, 'ci', ...flags], 'Run "npm ci" to see it whole.');
}

async function ensureSqlite() {
  // The same choice as the store's: neither major runs on every Node.
  const name = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi10' : 'better-sqlite3';
  const probe = [process.execPath, '-e', `new (require(${JSON.stringify(name)}))(':memory:').close()`];
  const loads = async () => (await run('SQLite', probe, { quiet: true })).code === 0;
  if (await loads()) return;
  const what = 'SQLite for this Node (a ready-made binary, or compiled in about a minute)';
  const env = { ...nodeHeaders(), JOBS: 'max' };
  const rebuild = [...(await npmCommand()), 'rebuild', name, '--no-ignore-scripts', '--foreground-scripts'];
  let result = await run(what, rebuild, { env });
  if (result.code !== 0 && (await installCompiler())) result = await run(what, rebuild, { env });
  if (result.code !== 0) throw failure(what, result.output, 'It needs python3, make and g++.');
  if (!(await loads()))
    throw new SetupError(`SQLite (${name}) does not load`, 'Remove node_modules and run this again.');
}

async function installCompiler() {
  const needs = ['python3', 'make', 'g++'].map((program) => [program, program]);
  if (needs.every(([program]) => hasProgram(program))) return false;
  return installWithApt(needs, 'no ready-made SQLite for this machine, so it is compiled');
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

/** The npm that called us, or the one on the path; for an npm that fails on this project, a newer one through it. */
async function npmCommand() {
  const caller = process.env.npm_execpath ?? '';
  const npm = /npm-cli\.c?js$/.test(caller) && existsSync(caller) ? [process.execPath, caller] : ['npm'];
  const version = await mustRun('npm', [...npm, '--version'], 'Install npm 10 or newer.', { quiet: true });
  // npm 9 fails on every alias ("npm:…") in overrides, with a message about something else.
  const aliases = JSON.stringify(JSON.parse(readFileSync(at('package.json'), 'utf8')).overrides ?? {}).includes(
    '"npm:',
  );
  if (Number.parseInt(version, 10) >= 10 || !aliases) return npm;
  return [...npm, 'exec', '--yes', '--package=npm@10', '--', 'npm'];
}
