import { chmod, chown } from 'node:fs/promises';
import type { DaemonOptions, LabDaemon } from './daemon.js';
import type { Lab } from './lab.js';

const NOBODY = 65534;
/** As nobody, and where there is no nft. */
const POOR = [
  ...['unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null /usr/sbin/nft && exec "$@"', 'sh'],
  ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all'],
];

/** A daemon that runs as nobody where there is no nft, its configuration written and its directories nobody's. */
export async function poorDaemon(lab: Lab, options: DaemonOptions): Promise<LabDaemon> {
  const daemon = lab.daemon({ ...options, wrap: POOR });
  await daemon.writeConfig();
  await chmod(lab.directory, 0o755);
  await chown(daemon.directory, NOBODY, NOBODY);
  return daemon;
}
