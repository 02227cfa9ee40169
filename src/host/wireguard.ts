import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Port, toPort } from '../core/ports.js';
import { type Host, localHost } from './host.js';

/**
 * The UDP ports at which the WireGuard interfaces of these names listen, in ascending order: those that are up as they are, by
 * `wg`; others as wg-quick(8) or systemd.netdev(5) will make them. One without a port of its own has none here.
 * @param names of interfaces; a trailing `*` stands for any ending
 */
export async function wireguardPorts(names: readonly string[], host: Host = localHost()): Promise<readonly Port[]> {
  return await portsOf(names, await askWg(names, host), host);
}

/** The same while the gateway runs; undefined where `wg` does not answer: then nobody knows better than before. */
export async function wireguardPortsNow(
  names: readonly string[],
  host: Host = localHost(),
): Promise<readonly Port[] | undefined> {
  const shown = await askWg(names, host);
  return shown === undefined ? undefined : await portsOf(names, shown, host);
}

async function askWg(names: readonly string[], host: Host): Promise<string | undefined> {
  return names.length === 0 ? '' : await host.run('wg', ['show', 'all', 'listen-port']);
}

async function portsOf(names: readonly string[], shown: string | undefined, host: Host): Promise<readonly Port[]> {
  if (names.length === 0) return [];
  const [files, netdevs] = await Promise.all([wgQuickPorts(host), networkdPorts(host)]);
  const ports = new Map([...netdevs, ...files, ...upPorts(shown ?? '')]);
  const wanted = [...ports].filter(([name, port]) => port !== undefined && isNamed(name, names));
  return [...new Set(wanted.flatMap(([, port]) => port ?? []))].sort((a, b) => a - b);
}

type Listening = readonly [name: string, port: Port | undefined];

/** `wg show all listen-port`: a name, a tab and a port a line. */
function upPorts(text: string): Listening[] {
  return [...text.matchAll(/^(\S+)\s+(\d+)$/gm)].map(([, name = '', port = '']) => [name, readPort(port)]);
}

async function wgQuickPorts(host: Host): Promise<Listening[]> {
  const found = await readFiles(join(host.etcRoot, 'wireguard'), '.conf');
  return found.map(({ name, text }) => [name, readPort(settingOf(text, 'Interface', 'ListenPort'))]);
}

async function networkdPorts(host: Host): Promise<Listening[]> {
  const found = await readFiles(join(host.etcRoot, 'systemd', 'network'), '.netdev');
  return found.flatMap(({ text }): Listening[] => {
    const name = settingOf(text, 'NetDev', 'Name');
    return name === undefined ? [] : [[name, readPort(settingOf(text, 'WireGuard', 'ListenPort'))]];
  });
}

/** The files of a folder with that ending, as far as they can be read. */
async function readFiles(folder: string, ending: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(ending));
  const read = names.map(async (file) => {
    const text = await readFile(join(folder, file), 'utf8').catch(() => '');
    return { name: file.slice(0, -ending.length), text };
  });
  return await Promise.all(read);
}

/** The last value of a key in a section, as both formats have them: case does not matter, `#` and `;` begin a comment. */
function settingOf(text: string, section: string, key: string): string | undefined {
  let current = '';
  let value: string | undefined;
  for (const line of text.split('\n').map((one) => one.replace(/[#;].*/, '').trim())) {
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) current = header.toLowerCase();
    const [name = '', ...rest] = line.split('=');
    if (current !== section.toLowerCase() || name.trim().toLowerCase() !== key.toLowerCase()) continue;
    value = rest.join('=').trim();
  }
  return value;
}

function readPort(text: string | undefined): Port | undefined {
  try {
    return text === undefined ? undefined : toPort(text);
  } catch {
    return undefined;
  }
}

/** Whether an interface is among these names; a trailing `*` stands for any ending. */
export function isNamed(name: string, names: readonly string[]): boolean {
  return names.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name));
}
