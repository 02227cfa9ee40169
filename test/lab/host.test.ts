import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { prepareSshd, sshOptions } from '../support/lab/sshd.js';

/*
 * Two network namespaces joined by a cable. The real sshd runs in `gate`, in a mount namespace of its own, where it
 * finds the user, the /run and the /etc/ssh that it asks for.
 *
 *      laptop ── 10.213.7.2, fd13:7::2 ──┐
 *                                        ├── gate: 10.213.7.1, fd13:7::1, sshd on tcp/2222
 *    stranger ── 10.213.7.66 ────────────┘
 */
const GATE = `sp-host-${process.pid}-g`;
const LAPTOP = `sp-host-${process.pid}-l`;
const SSH_PORT = 2222;
const FORWARD_PORT = 3333;
const STRANGER = '10.213.7.66';
/** Stands in the command of a session for the program that looks. */
const LOOK = 'LOOK';

const exec = promisify(execFile);
const children = new Set<ChildProcess>();
let folder = '';
let sshd: ChildProcess | undefined;
let missing: string | undefined;

interface Seen {
  readonly peers: readonly { readonly address: string; readonly how: string; readonly user: string | null }[];
  readonly ports: readonly { readonly port: number; readonly from: string }[];
}

beforeAll(async () => {
  missing = await whatIsMissing();
  if (missing !== undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'sallyport-host-'));
  await chmod(folder, 0o755);
  missing = await prepareSshd(folder, SSH_PORT);
  if (missing !== undefined) return;
  await writeLook();
  await makeNetwork();
  sshd = start('ip', ['netns', 'exec', GATE, '/bin/sh', join(folder, 'start-sshd')]);
  const answers = () =>
    ssh('root', '10.213.7.1', ['true']).then(
      () => true,
      () => false,
    );
  await until(answers, 'sshd answers');
});

afterEach(() => stop([...children].filter((child) => child !== sshd)));

afterAll(async () => {
  await stop([...children]);
  for (const name of [GATE, LAPTOP]) await exec('ip', ['netns', 'delete', name]).catch(() => {});
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

describe('with a real sshd', () => {
  test.for([
    ['10.213.7.1', '10.213.7.2'],
    ['fd13:7::1', 'fd13:7::2'],
  ] as const)('the peer of the session that we run in is found at %s', async ([gate, laptop], context) => {
    context.skip(missing !== undefined, missing);
    const { peers, ports } = await look('root', gate, [LOOK]);
    expect(peers).toContainEqual({ address: laptop, how: 'this session', user: 'root' });
    expect(ports).toEqual([{ port: SSH_PORT, from: 'listening sshd' }]);
  });

  test('a stranger who has only connected to sshd is not a peer', async (context) => {
    context.skip(missing !== undefined, missing);
    await connectAsStranger(SSH_PORT);
    const { peers } = await look('root', '10.213.7.1', [LOOK]);
    expect(peers.map(({ address }) => address)).toContain('10.213.7.2');
    expect(peers.map(({ address }) => address)).not.toContain(STRANGER);
  });

  test('a stranger on a port that the session forwards is not a peer, and that port is not the port of sshd', async (context) => {
    context.skip(missing !== undefined, missing);
    const forward = ['-R', `0.0.0.0:${FORWARD_PORT}:10.213.7.1:${SSH_PORT}`];
    const holding = start('ip', [
      'netns',
      'exec',
      LAPTOP,
      'ssh',
      ...sshOptions(folder, SSH_PORT),
      ...forward,
      'root@10.213.7.1',
      hold(),
    ]);
    await until(
      () =>
        connectAsStranger(FORWARD_PORT).then(
          () => true,
          () => false,
        ),
      'the forwarded port answers',
    );
    await writeFile(join(folder, 'go'), '');
    const { peers, ports } = await resultOf(holding);
    expect(peers).toContainEqual({ address: '10.213.7.2', how: 'this session', user: 'root' });
    expect(peers.map(({ address }) => address)).not.toContain(STRANGER);
    expect(ports).toEqual([{ port: SSH_PORT, from: 'listening sshd' }]);
  });

  test('without sight of sshd, SSH_CONNECTION tells the peer while its connection stands', async (context) => {
    context.skip(missing !== undefined, missing);
    const alone = ['unshare', '--pid', '--fork', '--mount-proc'];
    const { peers, ports } = await look('root', '10.213.7.1', [...alone, LOOK]);
    expect(peers).toContainEqual({ address: '10.213.7.2', how: 'this session', user: null });
    expect(ports).toEqual([{ port: SSH_PORT, from: 'this session' }]);
    const ended = ['env', "SSH_CONNECTION='10.213.7.2 1 10.213.7.1 2222'"];
    expect((await look('root', '10.213.7.1', [...alone, ...ended, LOOK])).peers).toEqual([]);
  });

  test('from outside the session its record in utmp tells the peer, until it ends', async (context) => {
    context.skip(missing !== undefined, missing);
    const login = ['ssh', '-tt', ...sshOptions(folder, SSH_PORT), 'guest@fd13:7::1', 'cat'];
    const session = start('ip', ['netns', 'exec', LAPTOP, ...login], 'pipe');
    const record = { address: 'fd13:7::2', how: 'login record', user: 'guest' };
    await until(async () => (await lookFromOutside()).peers.some(({ how }) => how === record.how), 'a record appears');
    expect((await lookFromOutside()).peers).toContainEqual(record);
    await stop([session]);
    await until(async () => !(await lookFromOutside()).peers.some(({ how }) => how === record.how), 'it is gone');
  });

  test('where nothing can be seen, sshd -T tells the port', async (context) => {
    context.skip(missing !== undefined, missing);
    const { ports } = await look('root', '10.213.7.1', ['env', '-i', `LOOK_AT=${folder}/nothing`, LOOK]);
    expect(ports).toEqual([{ port: SSH_PORT, from: 'sshd configuration' }]);
  });
});

async function whatIsMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync(modulePath('ssh-peers.js'))) return 'needs the build: npm run build';
  for (const [program, ...args] of [
    ['ssh', '-V'],
    ['ip', 'netns', 'list'],
    ['unshare', '--net', '--pid', '--fork', '--mount-proc', 'true'],
  ] as const) {
    const works = await exec(program, args).then(
      () => true,
      () => false,
    );
    if (!works) return `"${program}" is not there or not permitted`;
  }
  return undefined;
}

async function writeLook(): Promise<void> {
  const lines = [
    `import { localHost } from ${JSON.stringify(modulePath('host.js'))};`,
    `import { sshPeers } from ${JSON.stringify(modulePath('ssh-peers.js'))};`,
    `import { sshdPorts } from ${JSON.stringify(modulePath('sshd-ports.js'))};`,
    'const host = localHost(process.env.LOOK_AT ? { procRoot: process.env.LOOK_AT } : {});',
    'console.log(JSON.stringify({ peers: await sshPeers(host), ports: await sshdPorts(host) }));',
  ];
  await writeFile(join(folder, 'look.mjs'), `${lines.join('\n')}\n`);
}

function modulePath(name: string): string {
  return fileURLToPath(new URL(`../../dist/host/${name}`, import.meta.url));
}

async function makeNetwork(): Promise<void> {
  const ip = (...args: string[]) => exec('ip', args);
  for (const name of [GATE, LAPTOP]) {
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  await ip('-n', GATE, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', LAPTOP);
  for (const [name, addresses] of [
    [GATE, ['10.213.7.1/24', 'fd13:7::1/64']],
    [LAPTOP, ['10.213.7.2/24', `${STRANGER}/24`, 'fd13:7::2/64']],
  ] as const) {
    for (const address of addresses) {
      const nodad = address.includes(':') ? ['nodad'] : [];
      await ip('-n', name, 'address', 'add', address, 'dev', 'cable', ...nodad);
    }
    await ip('-n', name, 'link', 'set', 'cable', 'up');
  }
}

async function ssh(user: string, gate: string, command: readonly string[]): Promise<string> {
  const words = command.map((word) => (word === LOOK ? lookCommand() : word)).join(' ');
  const args = ['netns', 'exec', LAPTOP, 'ssh', ...sshOptions(folder, SSH_PORT), `${user}@${gate}`, words];
  return (await exec('ip', args, { timeout: 20_000 })).stdout;
}

function lookCommand(): string {
  return `env PATH=${folder}/bin:/usr/bin:/bin ${process.execPath} ${folder}/look.mjs`;
}

/** What a session runs that waits (for 20 s at most) for the file `go`, and looks then. */
function hold(): string {
  return `n=0; while [ ! -e ${folder}/go ] && [ $n -lt 200 ]; do n=$((n+1)); sleep 0.1; done; ${lookCommand()}`;
}

async function look(user: string, gate: string, command: readonly string[]): Promise<Seen> {
  return JSON.parse(await ssh(user, gate, command)) as Seen;
}

/** Looks from a process that is not in the session, but where sshd keeps its files. */
async function lookFromOutside(): Promise<Seen> {
  const args = ['--target', String(sshd?.pid), '--mount', '--net', process.execPath, join(folder, 'look.mjs')];
  const { stdout } = await exec('nsenter', args, { timeout: 20_000 });
  return JSON.parse(stdout) as Seen;
}

/** Opens a TCP connection to the gate as the stranger and holds it until the test ends. */
async function connectAsStranger(port: number): Promise<void> {
  const code = `require('net').connect({ host: '10.213.7.1', port: ${port}, localAddress: '${STRANGER}' })
    .on('data', (data) => process.stdout.write(data)).on('error', () => process.exit(1))`;
  const child = start('ip', ['netns', 'exec', LAPTOP, process.execPath, '-e', code]);
  const outcome = await Promise.race([
    once(child.stdout ?? child, 'data').then(([data]) => String(data)),
    once(child, 'exit').then(() => 'refused'),
  ]);
  // sshd's greeting proves that the connection is accepted.
  expect(outcome).toMatch(/^SSH-2\.0/);
}

/** What a session prints. It goes on after that while a connection that it forwards is open. */
async function resultOf(child: ChildProcess): Promise<Seen> {
  if (child.stdout === null) throw new Error('started without a pipe');
  for await (const line of createInterface(child.stdout)) return JSON.parse(line) as Seen;
  throw new Error('the session ended without a word');
}

function start(program: string, args: readonly string[], stdin: 'pipe' | 'ignore' = 'ignore'): ChildProcess {
  const child = spawn(program, args, { stdio: [stdin, 'pipe', 'ignore'] });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

async function stop(some: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    some.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const last = setTimeout(() => child.kill('SIGKILL'), 2000);
      await gone;
      clearTimeout(last);
    }),
  );
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited 15 s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
