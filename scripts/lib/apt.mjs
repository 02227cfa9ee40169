/** Packages of the host, through apt-get: only where root runs us, and only what is missing. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AS_ROOT } from './checkout.mjs';
import { run, say } from './run.mjs';

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** True where the program is installed; a plain user's path often lacks the sbin folders. */
export function hasProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Installs the packages whose programs are missing.
 * @param {[program: string, debianPackage: string][]} needs
 * @param {string} why in plain words
 * @returns {Promise<boolean>} false where something is missing and could not be installed
 */
export async function installWithApt(needs, why) {
  const packages = needs.filter(([program]) => !hasProgram(program)).map(([, name]) => name);
  if (packages.length === 0) return true;
  if (!AS_ROOT || !hasProgram('apt-get')) {
    say(`left out: ${packages.join(', ')} (${why}); ${AS_ROOT ? 'there is no apt-get' : 'only root may install'}`);
    return false;
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const what = `Debian packages ${packages.join(', ')} (${why})`;
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
  if ((await run(what, install, { host: true, env })).code === 0) return true;
  // Empty or outdated package lists are the usual reason.
  await run('package lists of apt', ['apt-get', 'update'], { host: true, env });
  return (await run(what, install, { host: true, env })).code === 0;
}
