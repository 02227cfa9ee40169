/**
 * The clients on real packets: ours, as the one file that it is built into, Debian's knock, and the bash lines of the card.
 *
 *   client namespace                     server namespace
 *   10.91.7.1  fd91:7::1  -- veth0 --    10.91.7.2  fd91:7::2, counting rules, a listener on tcp/22
 *
 * The rules of the server are a gate in small: a step counts only after the one before it, from the same address, and the
 * last lets that address in. What comes out of turn, or twice, is seen in the counters.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bashSnippet, debianKnockCommand } from '../../src/client/snippets.ts';
import { formatSequence, parseSequence, type Sequence } from '../../src/core/sequence.ts';
import { knockProgram } from '../support/peers.ts';

const CLIENT = `spclient-${process.pid}-c`;
const SERVER = `spclient-${process.pid}-s`;
const HOSTS = `/etc/netns/${CLIENT}`;
const V4 = '10.91.7.2';
const V6 = 'fd91:7::2';
const NAME = 'gate.sallyport.test';
const FAMILIES = [
  ['ipv4', V4],
  ['ipv6', V6],
] as const;
type FamilyName = (typeof FAMILIES)[number][0];

const MIXED = parseSequence('tcp/21234,udp/28111,tcp/24711');
const ALL_TCP = parseSequence('tcp/29001,tcp/21003,tcp/25005,tcp/23007,tcp/27009,tcp/22011,tcp/28013,tcp/24015');
const ALL_UDP = parseSequence('udp/28111,udp/21234');

const run = promisify(execFile);
const ip = (...argv: string[]) => run('ip', argv);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
const bundle = join(folder, 'client.mjs');
const children: ChildProcess[] = [];

async function nft(script: string): Promise<void> {
  const child = spawn('ip', ['netns', 'exec', SERVER, 'nft', '-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let problem = '';
  child.stderr.on('data', (text) => {
    problem += text;
  });
  child.stdin.end(script);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`nft: ${problem}`);
}

/** Loads the small gate for a sequence, with all counters at zero and nobody let in. */
async function watch(sequence: Sequence): Promise<void> {
  const families = [
    { name: 'ipv4', type: 'ipv4_addr', saddr: 'ip saddr' },
    { name: 'ipv6', type: 'ipv6_addr', saddr: 'ip6 saddr' },
  ];
  const sets: string[] = [];
  const rules: string[] = [];
  for (const { name, type, saddr } of families) {
    for (const [i, { protocol, port }] of sequence.entries()) {
      sets.push(`counter ${name}_step${i} { }`);
      sets.push(`set ${name}_after${i} { type ${type}; flags dynamic, timeout; timeout 60s; size 16; }`);
      const before =
        i === 0 ? `${saddr} != @${name}_after0` : `${saddr} @${name}_after${i - 1} ${saddr} != @${name}_after${i}`;
      const syn = protocol === 'tcp' ? 'tcp flags & (fin | syn | rst | ack) == syn' : '';
      const action = `counter name ${name}_step${i} add @${name}_after${i} { ${saddr} } drop`;
      rules.push(`${before} ${protocol} dport ${port} ${syn} ${action}`);
    }
    sets.push(`counter ${name}_other { }`);
    rules.push(`meta nfproto ${name} tcp dport 21000-29999 counter name ${name}_other drop`);
    rules.push(`meta nfproto ${name} udp dport 21000-29999 counter name ${name}_other drop`);
    rules.push(`${saddr} @${name}_after${sequence.length - 1} tcp dport { 22, 80 } accept`);
  }
  await nft(`table inet watch
delete table inet watch
table inet watch {
${sets.join('\n')}
chain input {
type filter hook input priority 0; policy accept;
${rules.join('\n')}
tcp dport { 22, 80 } drop
}
}
`);
}

/** How many packets were counted at each step in turn, and how many came out of turn, twice or elsewhere. */
async function counted(family: FamilyName): Promise<{ steps: number[]; other: number }> {
  const { stdout } = await ip('netns', 'exec', SERVER, 'nft', '-j', 'list', 'counters', 'table', 'inet', 'watch');
  const listing: { nftables: { counter?: { name: string; packets: number } }[] } = JSON.parse(stdout);
  const packets = new Map(
    listing.nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])),
  );
  const steps: number[] = [];
  for (let i = 0; packets.has(`${family}_step${i}`); i++) steps.push(packets.get(`${family}_step${i}`) ?? Number.NaN);
  return { steps, other: packets.get(`${family}_other`) ?? Number.NaN };
}

const each = (sequence: Sequence, packets: number) => ({ steps: sequence.map(() => packets), other: 0 });

async function inClient(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn('ip', ['netns', 'exec', CLIENT, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

function knock(host: string, sequence: Sequence, ...more: string[]) {
  const argv = [process.execPath, bundle, 'knock', host, ...more];
  return inClient(argv, { SALLYPORT_PORTS: formatSequence(sequence) });
}

describe.skipIf(process.getuid?.() !== 0)('the client in the lab', () => {
  let zoned = '';

  beforeAll(async () => {
    await run(process.execPath, [fileURLToPath(new URL('../../scripts/build-client.mjs', import.meta.url)), bundle]);
    await ip('netns', 'add', CLIENT);
    await ip('netns', 'add', SERVER);
    await ip('-n', CLIENT, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', SERVER);
    for (const [name, v4, v6] of [
      [CLIENT, '10.91.7.1/24', 'fd91:7::1/64'],
      [SERVER, `${V4}/24`, `${V6}/64`],
    ] as const) {
      await ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.veth0.accept_dad=0');
      await ip('-n', name, 'link', 'set', 'lo', 'up');
      await ip('-n', name, 'link', 'set', 'veth0', 'up');
      await ip('-n', name, 'addr', 'add', v4, 'dev', 'veth0');
      await ip('-n', name, 'addr', 'add', v6, 'dev', 'veth0', 'nodad');
    }
    const { stdout } = await ip('-n', SERVER, '-6', '-o', 'addr', 'show', 'dev', 'veth0', 'scope', 'link');
    zoned = `${/fe80::[0-9a-f:]+/.exec(stdout)?.[0]}%veth0`;
    // `ip netns exec` lays these files over those of /etc.
    mkdirSync(HOSTS, { recursive: true });
    writeFileSync(join(HOSTS, 'hosts'), `${V6} ${NAME}\n${V4} ${NAME}\n`);
    await watch(MIXED);
    const listen = "require('node:net').createServer((s) => s.destroy()).listen(22, '::', () => console.log('ready'))";
    const listener = spawn('ip', ['netns', 'exec', SERVER, process.execPath, '-e', listen], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(listener);
    await once(listener.stdout, 'data');
  });

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    for (const name of [CLIENT, SERVER]) await ip('netns', 'delete', name).catch(() => {});
    rmSync(HOSTS, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => watch(MIXED));

  describe.each(FAMILIES)('over %s', (family, host) => {
    it('opens with one packet for each step, in order', async () => {
      const { code, stdout } = await knock(host, MIXED, '--wait', 'tcp/22', '--json');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        host,
        address: host,
        open: true,
        already_open: false,
        listening: true,
        tries: 1,
      });
      expect(await counted(family)).toEqual(each(MIXED, 1));
    });

    it.each([
      ['eight TCP knocks', ALL_TCP],
      ['two UDP knocks', ALL_UDP],
    ])('sends %s in order, however short the pause', async (_name, sequence) => {
      await watch(sequence);
      const { code, stdout } = await knock(host, sequence, '--delay', '1ms');
      expect(code).toBe(0);
      expect(stdout).toContain('cannot be known');
      expect(await counted(family)).toEqual(each(sequence, 1));
    });

    it.each([
      ['mixed', MIXED],
      ['TCP alone', ALL_TCP.slice(0, 4)],
      ['UDP alone', ALL_UDP],
    ])('lets the bash lines of the card in: %s', async (_name, sequence) => {
      await watch(sequence);
      const { stderr } = await inClient(['bash', '-c', bashSnippet(host, sequence)]);
      expect(stderr).toBe('');
      expect(await counted(family)).toEqual(each(sequence, 1));
    });

    it("lets Debian's knock in, as the card writes it", async (ctx) => {
      const program = knockProgram();
      if (program.path === undefined) return ctx.skip(program.reason);
      const [, ...argv] = debianKnockCommand(host, MIXED).split(' ');
      const { code } = await inClient([program.path, ...argv], program.env);
      expect(code).toBe(0);
      expect(await counted(family)).toEqual(each(MIXED, 1));
    });
  });

  it('sends no SYN twice, though the kernel would after a second', async () => {
    const { code } = await knock(V4, MIXED, '--delay', '1500ms');
    expect(code).toBe(0);
    expect(await counted('ipv4')).toEqual(each(MIXED, 1));
  });

  it('reaches a link-local address through its interface', async () => {
    const { code, stdout } = await knock(zoned, MIXED, '--wait', 'tcp/22', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ address: zoned, open: true });
    expect(await counted('ipv6')).toEqual(each(MIXED, 1));
  });

  it('knocks on both families of a name, or on the one asked for', async () => {
    expect((await knock(NAME, MIXED)).code).toBe(0);
    expect(await counted('ipv4')).toEqual(each(MIXED, 1));
    expect(await counted('ipv6')).toEqual(each(MIXED, 1));
    await watch(MIXED);
    expect((await knock(NAME, MIXED, '-4', '--wait', 'tcp/22')).code).toBe(0);
    expect(await counted('ipv4')).toEqual(each(MIXED, 1));
    expect(await counted('ipv6')).toEqual(each(MIXED, 0));
  });

  it('says that the door is open and nothing listens', async () => {
    const { code, stdout } = await knock(V4, MIXED, '--wait', 'tcp/80');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Open\. You are let in, but nothing listens: tcp\/80/);
  });

  it('says that it was open already, and knocks all the same', async () => {
    await knock(V4, MIXED, '--wait', 'tcp/22');
    const { code, stdout } = await knock(V4, MIXED, '--wait', 'tcp/22');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Already open\./);
    expect((await counted('ipv4')).other).toBe(3);
  });

  it('fails with one line, where the knock is wrong', async () => {
    const wrong = [...MIXED].reverse();
    const { code, stdout, stderr } = await knock(V4, wrong, '--wait', 'tcp/22', '--tries', '1', '--quiet');
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^SP_CLIENT_STILL_SHUT: [^\n]+\n$/);
    expect((await counted('ipv4')).steps[2]).toBe(0);
  });

  it('fails at once where no packet can leave', async () => {
    const { code, stderr } = await knock('192.0.2.1', MIXED, '--wait', 'tcp/22', '--quiet');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SP_CLIENT_NOT_SENT: [^\n]*ENETUNREACH[^\n]*\n$/);
  });

  it('takes its arguments out of the list of processes', async () => {
    const argv = [process.execPath, bundle, 'knock', V4, '--ports', formatSequence(MIXED), '--delay', '5s'];
    const child = spawn('ip', ['netns', 'exec', CLIENT, ...argv], { stdio: 'ignore' });
    children.push(child);
    await vi.waitFor(
      () => expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).toMatch(/^sallyport-client\0*$/),
      {
        timeout: 4000,
      },
    );
    child.kill('SIGKILL');
  });
});
