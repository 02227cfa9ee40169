import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { millis, minutes, seconds } from '#dist/core/time.js';
import { type LoggedPacket, NetlinkListener, type TableChange } from '#dist/netlink/listener.js';
import { NetlinkError, NftablesLink, type SetElement } from '#dist/netlink/nftables-link.js';

/*
 * One network namespace with a loopback. This thread moves into it by setns(2); the threads and processes that it
 * starts from then on are born there, so that everything below meets the tables of the namespace alone.
 */
const NAMESPACE = `sp-netlink-${process.pid}`;
const CLONE_NEWNET = 0x40000000;
const GROUP = 864;
const TABLE = 'sallyport';
const KNOCKED = 28_111;
const ENOENT = 2;
const EBUSY = 16;
const EEXIST = 17;

const RULESET = `
table inet ${TABLE} {
  set all4 { type ipv4_addr; flags timeout; timeout 12h; size 262144; }
  set net4 { type ipv4_addr; flags interval,timeout; }
  map step { type ipv4_addr : mark; flags timeout; }
  chain input {
    type filter hook input priority filter; policy accept;
    meta l4proto { tcp, udp } th dport ${KNOCKED} meta mark set 0x80000001 log group ${GROUP} snaplen 128 drop
  }
}
table inet other {
  set all4 { type ipv4_addr; }
}
`;

const exec = promisify(execFile);
const libc = koffi.load('libc.so.6');
const setns = libc.func('int setns(int fd, int type)');

async function nft(commands: string): Promise<number> {
  const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(commands);
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  return child.pid ?? 0;
}

interface ListedElement {
  readonly elem: {
    readonly val: unknown;
    readonly timeout?: number;
    readonly expires?: number;
    readonly comment?: string;
  };
}

/** The elements of a set as nft tells them. */
async function listed(set: string): Promise<readonly unknown[]> {
  const { stdout } = await exec('nft', ['-j', 'list', 'set', 'inet', TABLE, set]);
  const [found] = JSON.parse(stdout).nftables.flatMap((entry: { set?: { elem?: unknown[] } }) => entry.set ?? []);
  return found.elem ?? [];
}

const address = (n: number): Uint8Array => new Uint8Array([10, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
const element = (n: number, more: Partial<SetElement> = {}): SetElement => ({ key: address(n), ...more });
const keys = (elements: readonly SetElement[]): string[] => elements.map(({ key }) => key.join('.')).sort();

/** What was read more than once, and what should have been read and was not. */
function twiceOrNot(expected: readonly SetElement[], read: readonly SetElement[]): string[] {
  const seen = new Set<string>();
  const twice = keys(read).filter((key) => seen.size === seen.add(key).size);
  return [...twice, ...keys(expected).filter((key) => !seen.has(key))];
}

function openFiles(): string[] {
  const kinds = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  return kinds.filter((kind) => /^socket:|eventfd/.test(kind)).map((kind) => kind.replace(/\d+/, ''));
}

async function refusal(promise: Promise<unknown>): Promise<NetlinkError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NetlinkError);
  return error as NetlinkError;
}

describe.skipIf(process.getuid?.() !== 0)('netlink in the lab', () => {
  let home: number | undefined;

  beforeAll(async () => {
    await exec('ip', ['netns', 'add', NAMESPACE]);
    home = openSync('/proc/thread-self/ns/net', 'r');
    const namespace = openSync(`/run/netns/${NAMESPACE}`, 'r');
    expect(setns(namespace, CLONE_NEWNET)).toBe(0);
    closeSync(namespace);
    await exec('ip', ['link', 'set', 'lo', 'up']);
  });

  afterAll(async () => {
    if (home === undefined) return;
    setns(home, CLONE_NEWNET);
    closeSync(home);
    await exec('ip', ['netns', 'del', NAMESPACE]);
  });

  beforeEach(async () => {
    await nft(`flush ruleset\n${RULESET}`);
  });

  describe('the link', () => {
    let link: NftablesLink;
    beforeEach(async () => {
      link = await NftablesLink.open({ table: TABLE });
    });
    afterEach(() => link.close());

    it('adds elements that nft shows with their timeout and comment', async () => {
      const elements = [
        element(1, { timeout: minutes(2), comment: 'G1 grüße "x"' }),
        element(2, { timeout: millis(90_500) }),
        element(3),
      ];
      await link.transact([{ op: 'add', set: 'all4', elements }]);
      const shown = (await listed('all4')) as ListedElement[];
      expect(shown.map(({ elem }) => elem).sort((a, b) => String(a.val).localeCompare(String(b.val)))).toEqual([
        { val: '10.0.0.1', timeout: 120, expires: expect.toSatisfy(within(110, 120)), comment: 'G1 grüße "x"' },
        { val: '10.0.0.2', timeout: expect.toSatisfy(within(90, 91)), expires: expect.toSatisfy(within(80, 91)) },
        { val: '10.0.0.3', expires: expect.toSatisfy(within(43_190, 43_200)) },
      ]);
    });

    it('dumps what was added, with what is left of the time', async () => {
      await link.transact([
        { op: 'add', set: 'all4', elements: [element(1, { timeout: minutes(2), comment: 'G1' }), element(2)] },
        { op: 'add', set: 'step', elements: [element(3, { data: new Uint8Array([1, 2, 3, 4]) })] },
      ]);
      const [first, second] = (await link.dump('all4')).sort((a, b) => (a.key[3] ?? 0) - (b.key[3] ?? 0));
      expect(first).toEqual({
        ...element(1, { timeout: minutes(2), comment: 'G1' }),
        remaining: expect.toSatisfy(within(110_000, 120_000)),
      });
      expect(second?.remaining).toSatisfy(within(43_190_000, 43_200_000));
      expect(await link.dump('step')).toEqual([element(3, { data: new Uint8Array([1, 2, 3, 4]) })]);
      expect(await link.dump('net4')).toEqual([]);
      expect((await refusal(link.dump('nowhere'))).errno).toBe(ENOENT);
    });

    it('writes intervals that nft shows as a range', async () => {
      const elements = [element(256, { comment: 'a range' }), element(512, { intervalEnd: true })];
      await link.transact([{ op: 'add', set: 'net4', elements }]);
      expect(await listed('net4')).toEqual([
        { elem: { val: { prefix: { addr: '10.0.1.0', len: 24 } }, comment: 'a range' } },
      ]);
      expect(keys(await link.dump('net4'))).toEqual(expect.arrayContaining(['10.0.1.0', '10.0.2.0']));
    });

    it('does nothing of a transaction of which one operation is refused, and says which', async () => {
      const before = await link.generation();
      const absent = await refusal(
        link.transact([
          { op: 'add', set: 'all4', elements: [element(1)] },
          { op: 'add', set: 'all4', elements: [] },
          { op: 'delete', set: 'all4', elements: [element(9)] },
          { op: 'add', set: 'all4', elements: [element(2)] },
        ]),
      );
      expect(absent).toMatchObject({ errno: ENOENT, operationIndex: 2 });
      const nowhere = await refusal(link.transact([{ op: 'add', set: 'nowhere', elements: [element(1)] }]));
      expect(nowhere).toMatchObject({ errno: ENOENT, operationIndex: 0 });
      expect(await link.dump('all4')).toEqual([]);
      expect(await link.generation()).toBe(before);
    });

    it('leaves what is there alone where it is added again, and refuses other data for it', async () => {
      const one = element(1, { data: new Uint8Array([1, 0, 0, 0]) });
      await link.transact([{ op: 'add', set: 'step', elements: [one] }]);
      await link.transact([{ op: 'add', set: 'step', elements: [one] }]);
      const other = element(1, { data: new Uint8Array([2, 0, 0, 0]) });
      const refused = await refusal(link.transact([{ op: 'add', set: 'step', elements: [other] }]));
      expect([EEXIST, EBUSY]).toContain(refused.errno);
      expect(await link.dump('step')).toEqual([one]);
    });

    it('renews by add, delete, add: timeout and comment are new', async () => {
      const old = element(1, { timeout: minutes(1), comment: 'old' });
      const fresh = element(1, { timeout: minutes(60), comment: 'new' });
      await link.transact([{ op: 'add', set: 'all4', elements: [old] }]);
      await link.transact(renewal(fresh));
      expect(await link.dump('all4')).toEqual([
        { ...fresh, remaining: expect.toSatisfy(within(3_590_000, 3_600_000)) },
      ]);
    });

    it('renews whenever the element expires, where delete and add fails', async () => {
      const brief = element(1, { timeout: millis(3) });
      const missed: number[] = [];
      for (let round = 0; round < 180; round++) {
        await link.transact(renewal(brief));
        spin(2 + (round % 30) / 15);
        const fresh = element(1, { timeout: minutes(1) });
        if (round % 3 > 0) await link.transact(renewal(fresh));
        else await link.transact(renewal(fresh).slice(1)).catch(({ errno }: NetlinkError) => missed.push(errno));
        await link.transact([...renewal(fresh), { op: 'delete', set: 'all4', elements: [fresh] }]);
      }
      expect(missed).not.toEqual([]);
      expect(new Set(missed)).toEqual(new Set([ENOENT]));
    });

    it('takes 20,000 elements in one transaction, and dumps them', async () => {
      const elements = Array.from({ length: 20_000 }, (_, n) =>
        element(n, { timeout: seconds(3600 + n), comment: `grant ${n} ${'x'.repeat(100)}` }),
      );
      const before = await link.generation();
      await link.transact([{ op: 'add', set: 'all4', elements }]);
      expect(await link.generation()).toBe(before + 1);
      const read = await link.dump('all4');
      expect(keys(read)).toEqual(keys(elements));
      expect(new Set(read.map(({ comment }) => comment))).toEqual(new Set(elements.map(({ comment }) => comment)));
      const [missing] = await Promise.all([
        refusal(link.transact([{ op: 'delete', set: 'all4', elements: [...elements, element(99_999)] }])),
        link.transact([{ op: 'delete', set: 'all4', elements }]),
      ]);
      expect(missing).toMatchObject({ errno: ENOENT, operationIndex: 0 });
      expect(await link.dump('all4')).toEqual([]);
    });

    it('carries out calls in the order in which they were made', async () => {
      const many = Array.from({ length: 8000 }, (_, n) => element(n));
      const calls = [link.transact([{ op: 'add', set: 'all4', elements: many }])];
      for (let n = 0; n < 100; n++) {
        calls.push(link.transact([{ op: 'delete', set: 'all4', elements: [element(n)] }]));
        calls.push(link.transact([{ op: 'add', set: 'all4', elements: [element(n, { comment: `${n}` })] }]));
      }
      await Promise.all(calls);
      const read = await link.dump('all4');
      expect(read).toHaveLength(8000);
      expect(read.filter(({ comment }) => comment !== undefined)).toHaveLength(100);
    });

    it('dumps the whole set while transactions go on', async () => {
      const elements = Array.from({ length: 10_000 }, (_, n) => element(n));
      await link.transact([{ op: 'add', set: 'all4', elements }]);
      let going = true;
      const writing = (async () => {
        for (let n = 20_000; going; n++) await link.transact([{ op: 'add', set: 'all4', elements: [element(n)] }]);
      })();
      const read = await link.dump('all4');
      going = false;
      await writing;
      expect(twiceOrNot(elements, read)).toEqual([]);
    });

    it('dumps the whole set while other elements expire', async () => {
      const lasting = Array.from({ length: 10_000 }, (_, n) => element(n));
      await link.transact([{ op: 'add', set: 'all4', elements: lasting }]);
      const brief = Array.from({ length: 10_000 }, (_, n) => element(20_000 + n, { timeout: millis(200 + (n >> 2)) }));
      await link.transact([{ op: 'add', set: 'all4', elements: brief }]);
      const until = performance.now() + 3500;
      while (performance.now() < until) {
        expect(twiceOrNot(lasting, await link.dump('all4'))).toEqual([]);
      }
    });

    it('refuses a timeout of 0 and takes the next transaction', async () => {
      const everlasting = [element(1, { timeout: millis(0) })];
      await expect(link.transact([{ op: 'add', set: 'all4', elements: everlasting }])).rejects.toThrow(RangeError);
      await link.transact([{ op: 'add', set: 'all4', elements: [element(2)] }]);
      expect(keys(await link.dump('all4'))).toEqual(['10.0.0.2']);
    });

    it('finishes what was asked for when it is closed, and then takes no more', async () => {
      const closing = await NftablesLink.open({ table: TABLE });
      const pending = closing.transact([{ op: 'add', set: 'all4', elements: [element(7)] }]);
      await closing.close();
      await pending;
      expect(keys(await link.dump('all4'))).toEqual(['10.0.0.7']);
      for (const call of [closing.transact([]), closing.dump('all4'), closing.generation()]) {
        await expect(call).rejects.toMatchObject({ code: 'SP_NETLINK_UNAVAILABLE' });
      }
      await closing.close();
    });
  });

  describe('the listener', () => {
    const packets: LoggedPacket[] = [];
    const changes: TableChange[] = [];
    const overruns: string[] = [];
    const failures: Error[] = [];
    const events = {
      onPackets: (some: readonly LoggedPacket[]) => void packets.push(...some),
      onTableChanged: (change: TableChange) => void changes.push(change),
      onOverrun: (which: string) => void overruns.push(which),
      onFailed: (error: Error) => void failures.push(error),
    };
    let link: NftablesLink;
    let listener: NetlinkListener | undefined;

    const listen = async (receiveBuffer?: number): Promise<NetlinkListener> => {
      const size = receiveBuffer === undefined ? {} : { receiveBuffer };
      listener = new NetlinkListener({ group: GROUP, table: TABLE, ownPortIds: [link.portId], ...size }, events);
      await listener.start();
      return listener;
    };

    beforeEach(async () => {
      for (const told of [packets, changes, overruns, failures]) told.length = 0;
      link = await NftablesLink.open({ table: TABLE });
    });
    afterEach(async () => {
      await listener?.stop();
      await link.close();
      expect(failures).toEqual([]);
    });

    it('hears a knock over IPv4 and IPv6, UDP and TCP, with its source and mark', async () => {
      await listen();
      await udp('127.0.0.1', 'four');
      await udp('::1', 'six');
      const socket = connect(KNOCKED, '127.0.0.2').on('error', () => {});
      await vi.waitFor(() => expect(packets.length).toBeGreaterThanOrEqual(3), { timeout: 5000 });
      socket.destroy();
      const common = { destinationPort: KNOCKED, mark: 0x80000001 };
      expect(packets.slice(0, 3)).toEqual([
        { ...common, family: 4, source: '127.0.0.1', protocol: 'udp', payload: new Uint8Array(Buffer.from('four')) },
        { ...common, family: 6, source: '::1', protocol: 'udp', payload: new Uint8Array(Buffer.from('six')) },
        { ...common, family: 4, source: '127.0.0.1', protocol: 'tcp', payload: new Uint8Array(0) },
      ]);
    });

    it('tells of changes to our table by others, with pid and program, and of nothing else', async () => {
      const listening = await listen();
      await link.transact([{ op: 'add', set: 'all4', elements: [element(1), element(2), element(3)] }]);
      await nft('add element inet other all4 { 10.9.9.9 }');
      const child = spawn('nft', ['delete', 'element', 'inet', TABLE, 'all4', '{ 10.0.0.2 }'], { stdio: 'inherit' });
      listening.expectProcess(child.pid ?? 0);
      expect(await once(child, 'exit')).toEqual([0, null]);
      const deleting = await nft(`delete element inet ${TABLE} all4 { 10.0.0.1 }`);
      await link.transact([{ op: 'delete', set: 'all4', elements: [element(3)] }]);
      const flushing = await nft('flush ruleset');
      await vi.waitFor(() => expect(changes.length).toBeGreaterThanOrEqual(2), { timeout: 5000 });
      expect(changes).toEqual([
        { pid: deleting, program: 'nft', portId: deleting, generation: expect.any(Number) },
        { pid: flushing, program: 'nft', portId: flushing, generation: await link.generation() },
      ]);
      expect(overruns).toEqual([]);
    });

    it('tells when news of transactions was lost, and hears the next', async () => {
      await listen(1);
      const many = Array.from({ length: 4000 }, (_, n) => address(n).join('.')).join(', ');
      // A listener that gets the processor at every datagram keeps up even with the smallest buffer: hence more than once.
      for (let round = 0; round < 20 && !overruns.includes('events'); round++) {
        await nft(`add element inet ${TABLE} all4 { ${many} }; flush set inet ${TABLE} all4`);
      }
      await vi.waitFor(() => expect(overruns).toContain('events'), { timeout: 5000 });
      await vi.waitFor(
        async () => {
          const pid = await nft(`add element inet ${TABLE} all4 { 10.0.0.1 }; flush set inet ${TABLE} all4`);
          await vi.waitFor(() => expect(changes).toContainEqual(expect.objectContaining({ pid })), { timeout: 500 });
        },
        { timeout: 5000 },
      );
    });

    it('is not overrun by what we write ourselves', async () => {
      await listen(1);
      const elements = Array.from({ length: 4000 }, (_, n) => element(n));
      await link.transact([{ op: 'add', set: 'all4', elements }]);
      await nft(`delete element inet ${TABLE} all4 { 10.0.0.1 }`);
      await vi.waitFor(() => expect(changes).toHaveLength(1), { timeout: 5000 });
      expect(overruns).toEqual([]);
    });

    it('tells when packets were lost, and hears the next', async () => {
      await listen(1);
      const socket = createSocket('udp4');
      for (let sent = 0; overruns.length === 0 && sent < 100_000; sent += 500) {
        for (let n = 0; n < 500; n++) socket.send('x', KNOCKED, '127.0.0.1');
        await new Promise(setImmediate);
      }
      socket.close();
      expect(overruns).toContain('nflog');
      await vi.waitFor(
        async () => {
          await udp('127.0.0.1', 'after');
          expect(packets.some(({ payload }) => Buffer.from(payload).toString() === 'after')).toBe(true);
        },
        { timeout: 5000 },
      );
    });

    it('refuses a group that another has, and the other goes on', async () => {
      await listen();
      const before = openFiles().length;
      const second = new NetlinkListener({ group: GROUP, table: TABLE, ownPortIds: [] }, events);
      await expect(second.start()).rejects.toMatchObject({ code: 'SP_NFLOG_BUSY', message: /group 864/ });
      await second.stop();
      await udp('127.0.0.1', 'still');
      await vi.waitFor(() => expect(packets).toHaveLength(1), { timeout: 5000 });
      await vi.waitFor(() => expect(openFiles().length).toBeLessThanOrEqual(before), { timeout: 5000 });
    });

    it('hears nothing after it was stopped, and leaves the group to the next', async () => {
      for (let round = 0; round < 3; round++) {
        const listening = await listen();
        await listening.stop();
        await nft(`add element inet ${TABLE} all4 { 10.0.0.${round + 1} }`);
      }
      expect(changes).toEqual([]);
    });
  });

  it('leaves no file open after ten starts and stops', async () => {
    const before = openFiles().sort();
    for (let round = 0; round < 10; round++) {
      const link = await NftablesLink.open({ table: TABLE });
      const listener = new NetlinkListener(
        { group: GROUP, table: TABLE, ownPortIds: [link.portId] },
        { onPackets: () => {}, onTableChanged: () => {}, onOverrun: () => {}, onFailed: () => {} },
      );
      await listener.start();
      await link.dump('all4');
      await link.dump('nowhere').catch(() => {});
      await listener.stop();
      await link.close();
    }
    await vi.waitFor(() => expect(openFiles().sort()).toEqual(before), { timeout: 5000 });
  });

  describe('in a process of its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-netlink-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    const run = (code: string, wrapper: readonly string[] = []): ChildProcess => {
      const program = join(folder, 'program.mjs');
      writeFileSync(
        program,
        `import { NetlinkListener } from ${JSON.stringify(import.meta.resolve('#dist/netlink/listener.js'))};
        import { NftablesLink } from ${JSON.stringify(import.meta.resolve('#dist/netlink/nftables-link.js'))};
        const listener = new NetlinkListener({ group: ${GROUP}, table: '${TABLE}', ownPortIds: [] }, {});
        ${code}`,
      );
      const [command = '', ...args] = [...wrapper, process.execPath, program];
      return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 10_000 });
    };

    it('without the right to administer the network both fail with a code', async () => {
      const child = run(
        `for (const start of [() => NftablesLink.open({ table: 'x' }), () => listener.start()]) {
          await start().catch(({ code }) => console.log(code));
        }`,
        ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'],
      );
      const output: string[] = [];
      child.stdout?.on('data', (chunk) => output.push(String(chunk)));
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(output.join('')).toBe('SP_NETLINK_UNAVAILABLE\nSP_NETLINK_UNAVAILABLE\n');
    });

    it('a process that exits does not wait for the listening thread', async () => {
      const child = run('await listener.start(); process.exit(7);');
      expect(await once(child, 'close')).toEqual([7, null]);
    });
  });
});

function renewal(fresh: SetElement) {
  const step = (op: 'add' | 'delete') => ({ op, set: 'all4', elements: [fresh] });
  return [step('add'), step('delete'), step('add')];
}

function within(least: number, most: number): (value: number) => boolean {
  return (value) => least <= value && value <= most;
}

function spin(wait: number): void {
  const until = performance.now() + wait;
  while (performance.now() < until);
}

async function udp(host: string, payload: string): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  await new Promise((resolve) => socket.send(payload, KNOCKED, host, resolve));
  socket.close();
}
