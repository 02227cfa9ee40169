import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));

/** One setting of a unit in systemd/, as it is written there. */
function setting(unit: string, name: string): string {
  const text = readFileSync(join(CHECKOUT, 'systemd', unit), 'utf8');
  const value = new RegExp(`^${name}=(.+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`${unit} has no ${name}`);
  return value;
}

/*
 * The machine as the unit expects it: this checkout in /opt/sallyport, Node in /usr/bin, and no name server to be had. The
 * host's own folders are covered, not changed.
 */
const INSTALLED = `set -e
mount -t tmpfs tmpfs "$1"
for folder in /opt /usr/bin; do
  mkdir -p "$1$folder/upper" "$1$folder/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$1$folder/upper,workdir=$1$folder/work" "$folder"
done
mkdir -p /opt/sallyport
mount --bind "$2" /opt/sallyport
cmp -s "$3" /usr/bin/node || { rm -f /usr/bin/node; cp "$3" /usr/bin/node; }
mount --bind /dev/null /etc/resolv.conf
shift 3
exec "$@"`;

/**
 * What systemd would run for a unit, with the capabilities that it would leave: for `LabHost.exec`.
 * @param scratch an empty folder
 */
export function unitCommand(unit: string, scratch: string): [file: string, args: string[]] {
  const capabilities = setting(unit, 'CapabilityBoundingSet')
    .toLowerCase()
    .replaceAll('cap_', '+')
    .replaceAll(' ', ',');
  const limited = ['setpriv', `--bounding-set=-all,${capabilities}`, '--inh-caps=-all', '--no-new-privs'];
  const command = setting(unit, 'ExecStart').split(' ');
  expect(command.slice(0, 2)).toEqual(['/usr/bin/node', '/opt/sallyport/dist/main.js']);
  const installed = ['sh', '-c', INSTALLED, 'sh', scratch, CHECKOUT, process.execPath];
  return ['unshare', ['--mount', ...installed, ...limited, ...command]];
}
