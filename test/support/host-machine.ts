/** A made-up machine: a folder laid out like /proc, with answers for the programs that are asked. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressBytes, parseAddress } from '../../src/core/address.ts';
import { type Host, localHost } from '../../src/host/host.ts';

interface ProcessFacts {
  readonly name: string;
  readonly parent?: number;
  readonly title?: string;
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Inodes of the sockets that it holds; `hidden` where its descriptors may not be read. */
  readonly sockets?: readonly number[] | 'hidden';
  /** The network namespace that it lives in: the folder with its tables. */
  readonly network?: string;
}

export interface Row {
  readonly inode: number;
  readonly local: string;
  readonly remote?: string;
  readonly state: 'established' | 'listening' | 'closing';
}

const STATES = { established: '01', closing: '08', listening: '0A' } as const;

export class Machine {
  readonly root = mkdtempSync(join(tmpdir(), 'sallyport-machine-'));
  readonly answers = new Map<string, string>();

  /** The machine as seen by the process `self`. */
  host(self: number, replaced: Partial<Host> = {}): Host {
    symlinkSync(String(self), join(this.root, 'self'));
    return localHost({
      procRoot: this.root,
      etcRoot: join(this.root, 'etc'),
      utmpFile: join(this.root, 'utmp'),
      env: {},
      byteOrder: 'LE',
      run: (file, args) => Promise.resolve(this.answers.get([file, ...args].join(' '))),
      interfaces: () => ({}),
      ...replaced,
    });
  }

  process(pid: number, facts: ProcessFacts): this {
    const { name, parent = 1, title = name, uid = 0, env = {}, sockets = [], network = 'net-main' } = facts;
    this.file(`${pid}/stat`, `${pid} (${name}) S ${parent} ${pid} ${pid} 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100\n`);
    this.file(`${pid}/status`, `Name:\t${name}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
    this.file(`${pid}/cmdline`, `${title.replaceAll(' ', '\0')}\0`);
    this.file(
      `${pid}/environ`,
      Object.entries(env)
        .map(([key, value]) => `${key}=${value}\0`)
        .join(''),
    );
    symlinkSync(join('..', network), join(this.root, `${pid}`, 'net'));
    if (sockets === 'hidden') return this;
    mkdirSync(join(this.root, `${pid}/fd`));
    symlinkSync('/dev/null', join(this.root, `${pid}/fd/0`));
    sockets.forEach((inode, index) => {
      symlinkSync(`socket:[${inode}]`, join(this.root, `${pid}/fd/${index + 3}`));
    });
    return this;
  }

  tcp(rows: readonly Row[], network = 'net-main'): this {
    for (const family of [4, 6] as const) {
      const lines = rows.filter(({ local }) => local.startsWith('[') === (family === 6)).map((row) => tableLine(row));
      this.file(`${network}/tcp${family === 6 ? '6' : ''}`, ['  sl  local_address …', ...lines, ''].join('\n'));
    }
    return this;
  }

  file(path: string, content: string | Uint8Array): this {
    mkdirSync(join(this.root, path, '..'), { recursive: true });
    writeFileSync(join(this.root, path), content);
    return this;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** One line of /proc/net/tcp as a little-endian kernel prints it. */
function tableLine({ inode, local, remote, state }: Row): string {
  const nobody = local.startsWith('[') ? '[::]:0' : '0.0.0.0:0';
  const ends = [local, remote ?? nobody].map(endpoint).join(' ');
  return `   0: ${ends} ${STATES[state]} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 20 4 30 10 -1`;
}

/** `192.0.2.1:22` or `[2001:db8::1]:22`; `[::ffff:192.0.2.1]:22` is IPv4 on an IPv6 socket. */
function endpoint(text: string): string {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  const mapped = /^::ffff:(.+\..+)$/.exec(address)?.[1];
  const bytes =
    mapped === undefined
      ? Buffer.from(addressBytes(parseAddress(address)))
      : Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), addressBytes(parseAddress(mapped))]);
  const port = Number(text.slice(colon + 1))
    .toString(16)
    .toUpperCase()
    .padStart(4, '0');
  return `${bytes.swap32().toString('hex').toUpperCase()}:${port}`;
}

interface UtmpFacts {
  readonly type?: number;
  readonly pid: number;
  readonly user?: string;
  readonly host?: string;
  readonly address?: string;
}

/** Records of utmp of 384 bytes (x86) or 400 bytes (aarch64). */
export function utmp(records: readonly UtmpFacts[], size: 384 | 400 = 384): Buffer {
  return Buffer.concat(
    records.map(({ type = 7, pid, user = '', host = '', address }) => {
      const record = Buffer.alloc(size);
      record.writeInt16LE(type, 0);
      record.writeInt32LE(pid, 4);
      record.write('pts/0', 8);
      record.write('ts/0', 40);
      record.write(user, 44);
      record.write(host, 76);
      record.writeInt32LE(1_760_000_000, size === 384 ? 340 : 344);
      if (address !== undefined) record.set(addressBytes(parseAddress(address)), size === 384 ? 348 : 360);
      return record;
    }),
  );
}
