/**
 * A real Asterisk 22 for the tests and the bench, unpacked into .cache/asterisk. Debian 12 and 13 have no package of it, but
 * the same mirror has a later release. Nothing is installed, and apt's own state is only read: lists and archives are kept apart.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from './apt.mjs';
import { at, makeFolder, readIfThere, writeOwned } from './checkout.mjs';
import { failure, mustRun, run, SetupError } from './run.mjs';

const FOLDER = at('.cache', 'asterisk');
const WORK = at('.cache', 'asterisk.part');
/** Names what was unpacked; anything else there is fetched anew. */
const COMPLETE = join(FOLDER, 'complete');
const RELEASE = 'forky';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PACKAGES = ['asterisk', 'asterisk-modules', 'asterisk-core-sounds-en-gsm'];
/** Libraries of the modules that are loaded, beside those that Asterisk itself names. */
const LIBRARIES = ['libgsm1'];
const WANTED = `${RELEASE}: ${[...PACKAGES, ...LIBRARIES].join(' ')}\n`;

/**
 * Fetches Asterisk where it is not there yet: about 25 packages, 50 MB unpacked.
 * @returns {Promise<{folder?: string, missing?: string}>} where it is, or why it is not there
 */
export async function fetchAsterisk() {
  if (readIfThere(COMPLETE) === WANTED) return { folder: FOLDER };
  if (!hasProgram('apt-get') || !hasProgram('dpkg-deb'))
    return { missing: 'Asterisk: no apt-get and dpkg-deb to fetch it with' };
  rmSync(WORK, { recursive: true, force: true });
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'root']) makeFolder(join(WORK, name));
  try {
    await download(await aptOptions());
    await unpack();
  } catch (error) {
    return { missing: `Asterisk could not be fetched: ${error.message}` };
  }
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(join(WORK, 'root'), FOLDER);
  rmSync(WORK, { recursive: true, force: true });
  writeOwned(COMPLETE, WANTED);
  return { folder: FOLDER };
}

/** Options under which apt sees the later release and nothing of the host: what it says is the same on any machine. */
async function aptOptions() {
  const sources = join(WORK, 'sources.list');
  writeOwned(sources, `deb [signed-by=${KEYRING}] ${await mirror()} ${RELEASE} main\n`);
  writeOwned(join(WORK, 'status'), '');
  const settings = {
    'Dir::State': join(WORK, 'state'),
    'Dir::State::status': join(WORK, 'status'),
    'Dir::Cache': join(WORK, 'cache'),
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'APT::Sandbox::User': '',
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Languages': 'none',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The mirror of Debian that the machine's own apt uses. */
async function mirror() {
  const asked = ['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'];
  const { output } = await run('', asked, { quiet: true });
  const entries = output.split('\n').map((line) => line.split(' '));
  const found = entries.find(
    ([uri, release, component]) => component === 'main' && /^[a-z]+$/.test(release) && /\/debian\/?$/.test(uri),
  );
  if (found === undefined || !existsSync(KEYRING))
    throw new SetupError('apt has no mirror of Debian here', 'The tests with a PBX need one.');
  return found[0];
}

async function download(options) {
  const lists = `package lists of Debian ${RELEASE}, for the tests alone`;
  await mustRun(lists, ['apt-get', 'update', ...options], 'See what apt-get says.');
  const ask = ['apt-cache', ...options, '--no-recommends', '--no-suggests', 'depends', 'asterisk'];
  const depends = await mustRun('dependencies of asterisk', ask, 'See what apt-cache says.', { quiet: true });
  const direct = [...depends.matchAll(/^ +Depends: (lib\S+)/gm)].map(([, name]) => name);
  const plan = ['--no-install-recommends', ...options, 'install', ...direct, ...LIBRARIES];
  const simulate = ['apt-get', '--simulate', ...plan];
  const output = await mustRun('plan of libraries', simulate, 'See what apt-get says.', { quiet: true });
  const libraries = [...output.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name).filter(isLibrary);
  const what = 'Asterisk 22 for tests and bench (unpacked in .cache, not installed)';
  const argv = ['apt-get', 'download', ...options, ...PACKAGES, ...libraries];
  const { code, output: said } = await run(what, argv, { cwd: WORK });
  if (code !== 0) throw failure('download of Asterisk', said, 'See what apt-get says.');
}

/** `libc6` and the like; what else they depend on configures a system that nobody boots. */
function isLibrary(name) {
  return /^lib|^zlib1g$/.test(name) && !/-(common|data|bin|extra)$|^libpam/.test(name);
}

async function unpack() {
  for (const name of readdirSync(WORK).filter((file) => file.endsWith('.deb'))) {
    const argv = ['dpkg-deb', '--extract', join(WORK, name), join(WORK, 'root')];
    await mustRun(`unpacking ${name}`, argv, 'Run this again.', { quiet: true });
  }
}
