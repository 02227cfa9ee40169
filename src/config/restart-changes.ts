import type { Config } from './config.js';

/** What `firewall apply` takes from the file: all else is read at the start of the daemon alone. */
const LIVE = ['services', 'trusted', 'firewall.policy', 'firewall.guard', 'firewall.forward', 'firewall.on_expiry'];

/** The keys in which a file differs from what a daemon runs with, and for which it must be started again. */
export function restartChanges(running: Config, file: Config): string[] {
  const before = flat(running);
  const after = flat(file);
  const differing = [...after.keys()].filter((key) => before.get(key) !== after.get(key));
  return differing.filter((key) => !LIVE.some((live) => key === live || key.startsWith(`${live}.`)));
}

/** What stands at the keys of the sections, as the file names them. */
function flat(config: Config): Map<string, string> {
  const found = new Map<string, string>();
  for (const [section, keys] of Object.entries(config)) {
    if (typeof keys !== 'object') continue;
    for (const [key, value] of Object.entries(keys)) {
      // That there is a section at all is a key here, and none in the file.
      const path =
        key === 'configured' ? section : `${section}.${key.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)}`;
      found.set(path, JSON.stringify(value));
    }
  }
  return found;
}
