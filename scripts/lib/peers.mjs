/**
 * Programs of other projects that the tests speak with (Debian's knockd: the client `knock` and the daemon), unpacked
 * into .cache/peers. Nothing is installed on the host, and apt's own state is only read.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from './apt.mjs';
import { at, makeFolder, writeOwned } from './checkout.mjs';
import { failure, mustRun, run } from './run.mjs';

const PEERS = at('.cache', 'peers');
const WORK = at('.cache', 'peers.part');
const COMPLETE = join(PEERS, 'complete');
const WANTED = 'knockd';

/**
 * Fetches the peers once.
 * @returns {Promise<{folder: string} | {missing: string}>} where they are, or why they are not there
 */
export async function fetchPeers() {
  if (existsSync(COMPLETE)) return { folder: PEERS };
  if (!hasProgram('apt-get') || !hasProgram('dpkg-deb'))
    return { missing: 'no apt-get and dpkg-deb to fetch knockd with' };
  rmSync(WORK, { recursive: true, force: true });
  makeFolder(join(WORK, 'state', 'lists', 'partial'));
  makeFolder(join(WORK, 'cache', 'archives', 'partial'));
  try {
    await download();
    await unpack();
  } catch (error) {
    return { missing: `${WANTED} could not be fetched: ${error.message}` };
  }
  rmSync(PEERS, { recursive: true, force: true });
  renameSync(join(WORK, 'root'), PEERS);
  rmSync(WORK, { recursive: true, force: true });
  writeOwned(COMPLETE, `${WANTED}\n`);
  return { folder: PEERS };
}

/** The folders of a peer's own libraries, as LD_LIBRARY_PATH has it. Debian keeps one per architecture. */
export function peerLibraries(folder) {
  return ['usr/lib', 'lib']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    .map((entry) => join(entry.parentPath, entry.name))
    .join(':');
}

async function download() {
  const readingHost = ['-o', `Dir::Cache=${join(WORK, 'cache')}`, '-o', 'APT::Sandbox::User='];
  if (await downloaded(readingHost)) return;
  const own = [
    ...readingHost,
    '-o',
    `Dir::State=${join(WORK, 'state')}`,
    '-o',
    'Dir::State::status=/var/lib/dpkg/status',
  ];
  const what = 'package lists of apt, for the tests alone';
  await mustRun(what, ['apt-get', 'update', ...own], 'See what apt-get says.');
  if (!(await downloaded(own))) throw failure(`download of ${WANTED}`, await whyNot(own), 'See what apt-get says.');
}

async function downloaded(options) {
  const plan = await run('', ['apt-get', '--simulate', '--no-install-recommends', ...options, 'install', WANTED], {
    quiet: true,
  });
  if (plan.code !== 0) return false;
  // What the host lacks to run it: the libraries. The rest of its dependencies is for the service we do not install.
  const lacking = [...plan.output.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name);
  const libraries = lacking.filter((name) => name.startsWith('lib'));
  const argv = ['apt-get', 'download', ...options, WANTED, ...libraries];
  return (await run(`${WANTED} for the tests (unpacked in .cache, not installed)`, argv, { cwd: WORK })).code === 0;
}

async function whyNot(options) {
  return (await run('', ['apt-get', '--simulate', ...options, 'install', WANTED], { quiet: true })).output;
}

async function unpack() {
  for (const name of readdirSync(WORK).filter((file) => file.endsWith('.deb'))) {
    const argv = ['dpkg-deb', '--extract', join(WORK, name), join(WORK, 'root')];
    await mustRun(`unpacking ${name}`, argv, 'Run this again.', { quiet: true });
  }
}
