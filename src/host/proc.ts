import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Host, plain } from './host.js';

/** A process as /proc shows it (proc_pid_stat(5), proc_pid_cmdline(5)). */
export interface Process {
  readonly pid: number;
  /** The name of the program file, cut to 15 characters by the kernel. */
  readonly name: string;
  readonly parent: number;
  /** The arguments joined by blanks, or what the process has put in their place. */
  readonly title: string;
}

/** No chain of parents is longer in earnest; it bounds the walk while processes come and go. */
const LONGEST_CHAIN = 256;

/** The ids of all processes in ascending order. */
export async function processIds(host: Host): Promise<readonly number[]> {
  const names = await readdir(host.procRoot).catch(() => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * One process; undefined where it is gone or hidden. `self` is this process under the id that it has in `procRoot`,
 * which differs from `process.pid` where /proc belongs to another PID namespace.
 */
export async function readProcess(host: Host, pid: number | 'self'): Promise<Process | undefined> {
  const stat = await readText(host, `${pid}/stat`);
  // The name stands in parentheses and may itself hold parentheses and blanks.
  const [open, close] = [stat?.indexOf('(') ?? -1, stat?.lastIndexOf(')') ?? -1];
  if (stat === undefined || open < 0 || close < open) return undefined;
  const parent = Number(stat.slice(close + 2).split(' ')[1]);
  const id = Number.parseInt(stat, 10);
  if (!Number.isInteger(id) || !Number.isInteger(parent)) return undefined;
  const title = (await readText(host, `${id}/cmdline`)) ?? '';
  return {
    pid: id,
    name: plain(stat.slice(open + 1, close)),
    parent,
    title: plain(title.replaceAll('\0', ' ').trimEnd()),
  };
}

/** The process, its parent, and so on up to the first one that cannot be read. */
export async function ancestry(host: Host, pid: number | 'self'): Promise<readonly Process[]> {
  const chain: Process[] = [];
  let next: number | 'self' = pid;
  while (next !== 0 && chain.length < LONGEST_CHAIN) {
    const found = await readProcess(host, next);
    if (found === undefined || chain.some((known) => known.pid === found.pid)) break;
    chain.push(found);
    next = found.parent;
  }
  return chain;
}

/** The inodes of the sockets that a process holds; undefined where its descriptors may not be read. */
export async function heldSockets(host: Host, pid: number): Promise<ReadonlySet<string> | undefined> {
  const directory = join(host.procRoot, String(pid), 'fd');
  const names = await readdir(directory).catch(() => undefined);
  if (names === undefined) return undefined;
  const links = await Promise.all(names.map((name) => readlink(join(directory, name)).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** The real user id of a process (proc_pid_status(5)); undefined where it is gone or hidden. */
export async function realUserId(host: Host, pid: number): Promise<number | undefined> {
  const id = /^Uid:\s+(\d+)/m.exec((await readText(host, `${pid}/status`)) ?? '')?.[1];
  return id === undefined ? undefined : Number(id);
}

/** One variable of the environment with which a process was started. */
export async function startedWith(host: Host, pid: number, variable: string): Promise<string | undefined> {
  const environment = await readText(host, `${pid}/environ`);
  const entry = environment?.split('\0').find((text) => text.startsWith(`${variable}=`));
  return entry?.slice(variable.length + 1);
}

/** A file below `procRoot`; undefined where it cannot be read. */
export function readText(host: Pick<Host, 'procRoot'>, path: string): Promise<string | undefined> {
  return readFile(join(host.procRoot, path), 'utf8').catch(() => undefined);
}
