/**
 * The checkout and whose it is. Where root works in somebody else's checkout (sudo), npm, the compiler and apt's
 * downloads run as its owner, so that nothing in it becomes root's.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout, without a slash at its end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** True where this process may change the host: install packages, make namespaces, load a ruleset. */
export const AS_ROOT = process.getuid?.() === 0;

/** An absolute path of the checkout. */
export function at(...parts) {
  return join(ROOT, ...parts);
}

/** Stamps, logs, downloads and test results live here; removing the folder costs time and nothing else. */
export const CACHE = at('.cache');

let cachedOwner;

/**
 * The user that owns the checkout, where that is not who we are and we may become them; otherwise undefined.
 * @returns {{uid: number, gid: number, name: string, home: string, usable: boolean} | undefined} `usable` is false
 *   where that user cannot reach Node or the checkout: then root does the work and hands the files over afterwards.
 */
function owner() {
  if (cachedOwner === undefined) cachedOwner = findOwner();
  return cachedOwner ?? undefined;
}

/** True where root did something in the owner's stead, so that files must be handed over. Costs nothing to ask. */
export function workedAsRoot() {
  return cachedOwner?.usable === false;
}

function findOwner() {
  const { uid, gid } = statSync(ROOT);
  if (!AS_ROOT || uid === 0) return null;
  const [name = String(uid), , , , , home] = passwd(uid).split(':');
  const probe = ['-e', 'require("fs").accessSync(process.argv[1], 7)', ROOT];
  const usable = spawnSync(process.execPath, probe, { uid, gid, stdio: 'ignore' }).status === 0;
  return { uid, gid, name, home: home || join(CACHE, 'home'), usable };
}

function passwd(uid) {
  try {
    return execFileSync('getent', ['passwd', String(uid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** What to add to the options of `spawn` so that the child runs as the checkout's owner. */
export function asOwner(env = process.env) {
  const user = owner();
  if (!user?.usable) return { env };
  // What npm told root's own scripts (its cache, prefix, configuration) must not reach the owner's npm.
  const kept = Object.entries(env).filter(
    ([key]) => !/^npm_/i.test(key) || key.startsWith('npm_package_config_node_gyp_'),
  );
  return {
    uid: user.uid,
    gid: user.gid,
    env: { ...Object.fromEntries(kept), HOME: user.home, USER: user.name, LOGNAME: user.name },
  };
}

/** Makes a folder of the checkout with the folders above it, all of them the owner's. */
export function makeFolder(path) {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined || !owner()) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) handOver(folder);
}

/** Writes a file of the checkout as its owner's. */
export function writeOwned(path, text) {
  makeFolder(dirname(path));
  writeFileSync(path, text);
  handOver(path);
}

function handOver(path) {
  const user = owner();
  if (user) chownSync(path, user.uid, user.gid);
}

/** Gives the owner what root left below the given folders of the checkout. */
export function giveBack(...folders) {
  const user = owner();
  if (!user) return;
  for (const folder of folders) giveBackTree(at(folder), user);
}

function giveBackTree(path, user) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (found.uid === 0) lchownSync(path, user.uid, user.gid);
  if (found.isDirectory()) for (const name of readdirSync(path)) giveBackTree(join(path, name), user);
}

/** The text of a file, or undefined where there is none. */
export function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A path as people read it: relative to the checkout or to the home folder. */
export function shown(path) {
  if (path.startsWith(ROOT + sep)) return path.slice(ROOT.length + 1);
  return path.startsWith(homedir() + sep) ? `~${path.slice(homedir().length)}` : path;
}
