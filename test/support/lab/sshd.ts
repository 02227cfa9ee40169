import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/**
 * Makes a real sshd ready in a folder: `FOLDER/start-sshd`, run by "ip netns exec", starts it in a mount namespace of its own,
 * where it finds the users (root and guest), the /run and the /etc/ssh that it asks for.
 * @returns the reason where it cannot be had
 */
export async function prepareSshd(folder: string, port: number): Promise<string | undefined> {
  const installed = existsSync('/usr/sbin/sshd');
  const prefix = join(folder, 'debian');
  const missing = installed ? undefined : await fetchSshd(prefix);
  if (missing === undefined) await writeFiles(folder, installed ? '/' : prefix, port);
  return missing;
}

/** What the client is called with, before the user and the command. */
export function sshOptions(folder: string, port: number): string[] {
  const settings = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const more = ['ConnectTimeout=5', 'IdentitiesOnly=yes', 'ExitOnForwardFailure=yes'];
  return [
    ...['-F', '/dev/null', '-i', join(folder, 'key'), '-p', String(port)],
    ...[...settings, ...more].flatMap((setting) => ['-o', setting]),
  ];
}

/** Debian's sshd without installing it. Gives the reason where it cannot be had. */
async function fetchSshd(prefix: string): Promise<string | undefined> {
  try {
    await mkdir(prefix);
    const source = ['-o', 'APT::Sandbox::User=root', 'download', 'openssh-server', 'libwrap0'];
    await exec('apt-get', source, { cwd: prefix, timeout: 60_000 });
    for (const file of await readdir(prefix)) await exec('dpkg-deb', ['-x', file, '.'], { cwd: prefix });
    return undefined;
  } catch {
    return 'there is no sshd here, and apt-get could not download openssh-server';
  }
}

/** Debian keeps them in a folder per architecture, under /usr/lib or /lib. */
async function librariesBelow(prefix: string): Promise<string[]> {
  const entries = await readdir(prefix, { recursive: true });
  return [...new Set(entries.filter((path) => /\.so(\.\d+)*$/.test(path)).map((path) => dirname(join(prefix, path))))];
}

async function writeFiles(folder: string, prefix: string, port: number): Promise<void> {
  const libraries = prefix === '/' ? '' : (await librariesBelow(prefix)).join(':');
  for (const key of ['host_key', 'key']) {
    await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
  }
  await exec('cp', [join(folder, 'key.pub'), join(folder, 'authorized_keys')]);
  const file = (name: string, lines: readonly string[]) => writeFile(join(folder, name), `${lines.join('\n')}\n`);
  await file('sshd_config', [
    `Port ${port}`,
    `HostKey ${join(folder, 'host_key')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    `PidFile none`,
    'UsePAM no',
    'StrictModes no',
    'PrintMotd no',
    'PrintLastLog no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'GatewayPorts clientspecified',
    'MaxStartups 20',
  ]);
  await file('passwd', [
    'root:x:0:0::/root:/bin/sh',
    'sshd:x:65533:65533::/run/sshd:/bin/false',
    `guest:x:65532:65532::${folder}:/bin/sh`,
  ]);
  await file('shadow', ['root:*:::::::', 'sshd:*:::::::', 'guest:*:::::::']);
  await mkdir(join(folder, 'bin'));
  await file('bin/sshd', [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH=${libraries}`,
    `exec ${join(prefix, 'usr/sbin/sshd')} "$@"`,
  ]);
  await chmod(join(folder, 'bin/sshd'), 0o755);
  // "ip netns exec" has made a mount namespace, whose changes do not reach the machine's.
  await file('start-sshd', [
    'set -e',
    'mount -t tmpfs tmpfs /run',
    'mkdir -m 0755 /run/sshd',
    ': >/run/utmp',
    '[ -e /var/run ] || ln -s /run /var/run',
    'mount -t tmpfs tmpfs /etc/ssh',
    `cp ${folder}/sshd_config /etc/ssh/sshd_config`,
    `mount --bind ${folder}/passwd /etc/passwd`,
    `mount --bind ${folder}/shadow /etc/shadow`,
    `exec ${folder}/bin/sshd -D -e`,
  ]);
}
