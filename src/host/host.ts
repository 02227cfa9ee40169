import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { endianness, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';

/**
 * Runs a program without a shell and gives its standard output; undefined where it is missing, fails or takes longer
 * than its time.
 */
export type Run = (file: string, args: readonly string[]) => Promise<string | undefined>;

/** The machine that is looked at. Every part of it can be replaced, and every part of it may be missing. */
export interface Host {
  readonly procRoot: string;
  readonly etcRoot: string;
  readonly utmpFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The byte order in which the kernel and the C library write numbers into /proc/net and utmp. */
  readonly byteOrder: 'LE' | 'BE';
  readonly run: Run;
  readonly interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
}

/** The machine that this process runs on, with parts replaced as given. */
export function localHost(replaced: Partial<Host> = {}): Host {
  return {
    procRoot: '/proc',
    etcRoot: '/etc',
    utmpFile: '/var/run/utmp',
    env: process.env,
    byteOrder: endianness(),
    run,
    interfaces: networkInterfaces,
    ...replaced,
  };
}

const TIME_LIMIT_MS = 3000;
const OUTPUT_LIMIT = 4 << 20;
/** The programs asked are administrators' tools, which an ordinary user's PATH leaves out. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Starting a program holds the event loop until it runs: all memory of this process is mapped anew first. So none is started
 * that is not there, and others have their turn between two starts.
 */
let started: Promise<unknown> = Promise.resolve();

const run: Run = async (file, args) => {
  const path = `${SYSTEM_PATH}:${process.env.PATH ?? ''}`;
  const program = await findProgram(file, path);
  if (program === undefined) return undefined;
  const turn = started.then(() => breathe());
  started = turn;
  await turn;
  return await new Promise((resolve) => {
    const env = { PATH: path, LC_ALL: 'C', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' };
    const limits = { timeout: TIME_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT } as const;
    execFile(program, [...args], { ...limits, env, encoding: 'utf8' }, (error, stdout) => {
      resolve(error === null ? stdout : undefined);
    });
  });
};

/** Where a program is; undefined where it is in none of the directories. */
async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const directory of new Set(path.split(':').filter(isAbsolute))) {
    const file = join(directory, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/** Text of other programs as it may be shown: control characters are replaced. */
export function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
