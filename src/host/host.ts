import { execFile } from 'node:child_process';
import { endianness, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

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

const run: Run = (file, args) =>
  new Promise((resolve) => {
    const env = {
      PATH: `${SYSTEM_PATH}:${process.env.PATH ?? ''}`,
      LC_ALL: 'C',
      SYSTEMD_PAGER: '',
      SYSTEMD_COLORS: '0',
    };
    const limits = { timeout: TIME_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT } as const;
    execFile(file, [...args], { ...limits, env, encoding: 'utf8' }, (error, stdout) => {
      resolve(error === null ? stdout : undefined);
    });
  });

/** Text of other programs as it may be shown: control characters are replaced. */
export function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
