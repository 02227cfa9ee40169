/**
 * Programs of other projects that the tests and the bench speak with (Debian's knockd, fwknop), unpacked into
 * .cache/peers. Nothing is installed on the host, and apt's own state is only read.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from './apt.mjs';
import { at, makeFolder, readIfThere, writeOwned } from './checkout.mjs';
import { failure, mustRun, run } from './run.mjs';

const PEERS = at('.cache', 'peers');
const WORK = at('.cache', 'peers.part');
/** Names the packages that are there, one a line. */
const COMPLETE = join(PEERS, 'complete');

/**
 * Fetches the packages that are not there yet.
 * @param {string[]} [wanted] Debian packages
 * @returns {Promise<{folder?: string, missing?: string}>} where they are; why some of them are not there
 */
export async function fetchPeers(wanted = ['knockd']) {
  const there = (readIfThere(COMPLETE) ?? '').split('\n').filter((name) => name !== '');
  const folder = there.length > 0 ? { folder: PEERS } : {};
  const packages = [...new Set([...there, ...wanted])];
  if (packages.length === there.length) return folder;
  const lacking = wanted.filter((name) => !there.includes(name)).join(', ');
  if (!hasProgram('apt-get') || !hasProgram('dpkg-deb'))
    return { ...folder, missing: `no apt-get and dpkg-deb to fetch ${lacking} with` };
  rmSync(WORK, { recursive: true, force: true });
  makeFolder(join(WORK, 'state', 'lists', 'partial'));
  makeFolder(join(WORK, 'cache', 'archives', 'partial'));
  try {
    await download(packages);
    await unpack();
  } catch (error) {
    return { ...folder, missing: `${lacking} could not be fetched: ${error.message}` };
  }
  rmSync(PEERS, { recursive: true, force: true });
  renameSync(join(WORK, 'root'), PEERS);
  rmSync(WORK, { recursive: true, force: true });
  writeOwned(COMPLETE, `${packages.join('\n')}\n`);
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

async function download(packages) {
  const readingHost = ['-o', `Dir::Cache=${join(WORK, 'cache')}`, '-o', 'APT::Sandbox::User='];
  if (await downloaded(packages, readingHost)) return;
  const own = [
    ...readingHost,
    '-o',
    `Dir::State=${join(WORK, 'state')}`,
    '-o',
    'Dir::State::status=/var/lib/dpkg/status',
  ];
  const what = 'package lists of apt, for the tests alone';
  await mustRun(what, ['apt-get', 'update', ...own], 'See what apt-get says.');
  if (await downloaded(packages, own)) return;
  throw failure(`download of ${packages.join(', ')}`, await whyNot(packages, own), 'See what apt-get says.');
}

async function downloaded(packages, options) {
  const plan = await simulated(packages, ['--no-install-recommends', ...options]);
  if (plan.code !== 0) return false;
  // What the host lacks to run them: the libraries. The rest of their dependencies is for services we do not install.
  const lacking = [...plan.output.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name);
  const libraries = lacking.filter((name) => name.startsWith('lib'));
  const argv = ['apt-get', 'download', ...options, ...packages, ...libraries];
  const what = `${packages.join(', ')} for tests and bench (unpacked in .cache, not installed)`;
  return (await run(what, argv, { cwd: WORK })).code === 0;
}

async function whyNot(packages, options) {
  return (await simulated(packages, options)).output;
}

function simulated(packages, options) {
  return run('', ['apt-get', '--simulate', ...options, 'install', ...packages], { quiet: true });
}

async function unpack() {
  for (const name of readdirSync(WORK).filter((file) => file.endsWith('.deb'))) {
    const argv = ['dpkg-deb', '--extract', join(WORK, name), join(WORK, 'root')];
    await mustRun(`unpacking ${name}`, argv, 'Run this again.', { quiet: true });
  }
}
