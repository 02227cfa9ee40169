/** The clients of the card against the real gateway, and that none of their secrets shows anywhere on it. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon, UserJson } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { knockProgram } from '../support/peers.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const FAMILIES = ['ipv4', 'ipv6'] as const;
const PLACEHOLDER = 'YOUR-SERVER';

describe('the clients', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  /** Each user's ports, and the card as it was printed. */
  const cards = new Map<string, { ports: string; text: string }>();

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await addUser('tcp', 'tcp/21003,tcp/24711,tcp/22503');
    await addUser('udp', 'udp/23003,udp/26711,udp/24503');
    await addUser('mixed', 'tcp/25003,udp/28711,tcp/26503');
    await addUser('drawn');
    await lab.gateway.tell('listenTcp', { port: 22 });
  });

  afterAll(() => lab?.destroy());

  /** Adds a user by the CLI, as an operator does. Without ports they are drawn. */
  async function addUser(name: string, knock?: string): Promise<void> {
    const options = knock === undefined ? [] : ['--knock', knock];
    const { code, stdout, stderr } = await daemon.cli('user', 'add', name, '--services', 'ssh', ...options);
    expect(`${code} ${stderr}`).toBe('0 ');
    const { body } = await daemon.api<UserJson>('GET', `/v1/users/${name}/card`);
    const ports = body.sequence.map(({ protocol, port }) => `${protocol}/${port}`).join(',');
    cards.set(name, { ports, text: stdout });
  }

  const portsOf = (name: string) => cards.get(name)?.ports ?? '';

  /** The commands that the card has under a heading, with the server's address put in. */
  function fromCard(name: string, heading: string, address: string): string {
    const sections = (cards.get(name)?.text ?? '').split('\n\n');
    const [, ...lines] = sections.find((section) => section.startsWith(heading))?.split('\n') ?? [];
    const commands = lines.filter((line) => line.includes(PLACEHOLDER)).map((line) => line.trim());
    expect(commands).not.toEqual([]);
    return commands.join('\n').replaceAll(PLACEHOLDER, address);
  }

  /** Ends what a test opened, so that the next one starts outside. */
  async function shutOut(): Promise<void> {
    for (const { id } of await daemon.grants()) await daemon.api('POST', '/v1/revoke', { what: id });
    const verdicts = FAMILIES.map((family) => lab.laptop.tcp(lab.gateway[family], 22, { timeout: 200 }));
    expect(await Promise.all(verdicts)).toEqual(['silent', 'silent']);
  }

  /** Runs a client over both families at once: their knocks do not touch. */
  async function overBoth(run: (address: string) => Promise<void>): Promise<void> {
    await shutOut();
    const runs = await Promise.allSettled(FAMILIES.map((family) => run(lab.gateway[family])));
    for (const one of runs) if (one.status === 'rejected') throw one.reason;
  }

  const getsIn = (address: string) =>
    eventually(
      () => lab.laptop.tcp(address, 22),
      (verdict) => verdict === 'open',
    );
  const ours = (...args: readonly string[]) => lab.laptop.exec(process.execPath, [MAIN, 'knock', ...args]);

  it.for(['tcp', 'udp', 'mixed'])("Debian's knock gets in with the command on the card: %s", async (name, ctx) => {
    const program = knockProgram();
    if (program.path === undefined) return ctx.skip(program.reason);
    await overBoth(async (address) => {
      const [, ...argv] = fromCard(name, "With Debian's knock", address).split(' ');
      expect((await lab.laptop.exec(program.path, argv, { env: program.env })).code).toBe(0);
      await getsIn(address);
    });
  });

  it.each(['tcp', 'udp', 'mixed'])('bare bash gets in with the lines on the card: %s', async (name) => {
    await overBoth(async (address) => {
      const lines = fromCard(name, 'With nothing but bash', address);
      expect((await lab.laptop.exec('bash', ['-c', lines])).stderr).toBe('');
      await getsIn(address);
    });
  });

  it.each(['tcp', 'udp', 'mixed', 'drawn'])(
    'our own gets in at its first try with the command on the card: %s',
    async (name) => {
      await overBoth(async (address) => {
        const [program, command, ...argv] = fromCard(name, 'From a laptop, with sallyport', address).split(' ');
        expect([program, command]).toEqual(['sallyport', 'knock']);
        const { code, stdout, stderr } = await ours(...argv);
        expect(stderr).toBe(`Knocking on ${address}\nWaiting for tcp/22 on ${address}\n`);
        expect(stdout).toMatch(/^Open\. tcp\/22 on \S+ answers \(one try, /);
        expect(code).toBe(0);
      });
    },
  );

  it('our own gets in at its second try where a packet of the first was lost on the way', async () => {
    const [, second] = steps(portsOf('mixed'));
    const lost = `${second?.protocol} dport ${second?.port}`;
    await lab.onTheWire(`table netdev loss {
      set lost4 { typeof ip daddr; flags dynamic; size 1; }
      set lost6 { typeof ip6 daddr; flags dynamic; size 1; }
      chain from_laptop {
        type filter hook ingress device p1 priority 0;
        ip daddr != @lost4 ${lost} add @lost4 { ip daddr } drop
        ip6 daddr != @lost6 ${lost} add @lost6 { ip6 daddr } drop
      }
    }`);
    await overBoth(async (address) => {
      const { code, stdout } = await ours(address, '--ports', portsOf('mixed'), '--wait', 'tcp/22', '--json');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ open: true, already_open: false, tries: 2 });
    });
  });

  it('our own fails with 1 and a plain word where the sequence is wrong', async () => {
    const wrong = portsOf('mixed').split(',').reverse().join(',');
    await overBoth(async (address) => {
      const { code, stdout, stderr } = await ours(address, '--ports', wrong, '--wait', 'tcp/22', '--tries', '1', '-q');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^SP_CLIENT_STILL_SHUT: tcp\/22 on \S+ [^\n]+\n$/);
      for (const { port } of steps(wrong)) expect(stderr).not.toContain(String(port));
    });
  });

  it.each([
    ['no host', []],
    ['no ports', ['10.77.0.1']],
    ['a port that is none', ['10.77.0.1', '--ports', 'tcp/99999,udp/2']],
    ['an unknown option', ['10.77.0.1', '--ports', 'tcp/21001,udp/21003', '--sneak']],
    ['a UDP port to wait for', ['10.77.0.1', '--ports', 'tcp/21001,udp/21003', '--wait', 'udp/5060']],
  ])('bad usage ends with 2 and one line: %s', async (_what, args) => {
    const { code, stdout, stderr } = await lab.laptop.exec(process.execPath, [MAIN, 'knock', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^SP_\w+: [^\n]+\n$/);
  });

  it('the ports of the sequences are in no output, no list of processes and no file that others can read', async () => {
    await lab.laptop.knock(lab.gateway.ipv4, steps(portsOf('drawn')));
    await daemon.json('user', 'set', 'drawn', '--ttl', '2h');
    await daemon.kill();
    await daemon.launch();
    const commands = [
      'status',
      'list',
      'log',
      'user list',
      'user show drawn',
      'user show mixed',
      'firewall status',
      'check',
    ];
    const said: [string, string][] = [
      ['the log of the daemon', daemon.output],
      ['its command line', await readFile(`/proc/${daemon.pid}/cmdline`, 'utf8')],
      ['its environment', await readFile(`/proc/${daemon.pid}/environ`, 'utf8')],
      ['the journal', JSON.stringify(await daemon.events())],
    ];
    const calls = commands.map((command) => command.split(' ')).flatMap((args) => [args, [...args, '--json']]);
    for (const answer of await Promise.all(
      calls.map(async (args) => [args.join(' '), await daemon.cli(...args)] as const),
    )) {
      said.push([answer[0], `${answer[1].stdout}${answer[1].stderr}`]);
    }
    for (const entry of await readdir(daemon.directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && ((await stat(path)).mode & 0o077) !== 0) said.push([path, await readFile(path, 'latin1')]);
    }
    expect(said.every(([, text]) => text.length > 0)).toBe(true);
    const ports = [...cards.values()].flatMap((card) => steps(card.ports)).map(({ port }) => port);
    expect(new Set(ports).size).toBe(12);
    const shown = said.filter(([, text]) => ports.some((port) => new RegExp(`(?<!\\d)${port}(?!\\d)`).test(text)));
    expect(shown.map(([what]) => what)).toEqual([]);
  });
});
