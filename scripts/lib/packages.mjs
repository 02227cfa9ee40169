/** The npm packages of the lock file, and SQLite's native part for this Node. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { at, readIfThere, writeOwned } from './checkout.mjs';
import { npmCommand } from './npm.mjs';
import { mustRun } from './run.mjs';
import { ensureSqlite, SQLITE } from './sqlite.mjs';

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
  // npm leaves out optional packages that are for other platforms, or for another Node than the one it ran on.
  return (
    existsSync(at('node_modules', SQLITE)) &&
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
