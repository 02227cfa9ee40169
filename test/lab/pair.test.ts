/**
 * `sallyport pair` on real packets, as the one file that the client is built into, against the gateway's ears: the rules or
 * sockets, and the thread that opens early. Nobody is there who decides: what opens, opens before the decision.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodePairing, type PairingCode, parsePairing } from '#dist/core/pairing.js';
import type { LabHost } from '../support/lab/host.js';
import { mustRun } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const EARS = fileURLToPath(new URL('../support/lab/knock-ears.mjs', import.meta.url));
const BUILD = fileURLToPath(new URL('../../scripts/build-client.mjs', import.meta.url));
const PORTS = 'udp/21234,tcp/28111,udp/24711';
const UDP_PORTS = 'udp/21234,udp/28111,udp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;
const CODE = '402913' as PairingCode;

interface Heard {
  readonly source: string;
  readonly payload: string;
  readonly early: boolean;
  readonly inMailbox: boolean;
}

/** The gateway's ears in its namespace (knock-ears.mjs). */
class Ears {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly heard: Heard[] = [];
  #isReady = false;
  #mailboxes: string[][] = [];

  constructor(host: LabHost, setup: { config: string; sequence: string; keep?: boolean }) {
    this.#child = spawn('ip', ['netns', 'exec', host.namespace, process.execPath, EARS]);
    this.#child.stderr.on('data', (text: Buffer) => process.stderr.write(`ears: ${text}`));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.ready) this.#isReady = true;
      else if (message.mailbox) this.#mailboxes.push(message.mailbox);
      else this.heard.push(message);
    });
    this.#child.stdin.write(`${JSON.stringify(setup)}\n`);
  }

  async ready(): Promise<void> {
    await eventually(() => this.#isReady, Boolean, 20_000);
  }

  /** What has been heard of an address, once it is something. */
  async of(source: string): Promise<readonly Heard[]> {
    return await eventually(
      () => this.heard.filter((one) => one.source === source),
      (found) => found.length > 0,
    );
  }

  async mailbox(): Promise<readonly string[]> {
    this.#mailboxes = [];
    this.#child.stdin.write('\n');
    const [found = []] = await eventually(
      () => this.#mailboxes,
      ({ length }) => length > 0,
    );
    return found;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}

const config = (knock: string) =>
  `version: 1\nservices: {ssh: [tcp/22]}\nfirewall: {guard: [ssh]}\nknock: {${knock}}\n`;

let lab: Lab;
let bundle: string;

beforeAll(async () => {
  lab = await Lab.create();
  bundle = join(lab.directory, 'client.mjs');
  await mustRun(process.execPath, [BUILD, bundle]);
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterAll(() => lab?.destroy());

/** A client that pairs from the laptop, with what it has said so far. */
function pair(address: string, { ports = PORTS, more = ['--wait', 'tcp/22'] } = {}) {
  const argv = ['netns', 'exec', lab.laptop.namespace, process.execPath, bundle, 'pair', address, ...more, '--json'];
  const child = spawn('ip', argv, { env: { ...process.env, SALLYPORT_PORTS: ports } });
  const events: { event: string; code?: string; open?: boolean | null; rounds?: number }[] = [];
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, events, stderr }));
  const shown = () =>
    eventually(
      () => events[0]?.code,
      (code) => code !== undefined,
    );
  return { child, ended, shown };
}

/** Lets the laptop in, as whoever confirms a claim does. */
const letIn = (family: 'ipv4' | 'ipv6') =>
  lab.gateway.nft(
    `add element inet sallyport grant_ssh_${family === 'ipv4' ? 4 : 6} { ${lab.laptop[family]} timeout 60s }`,
  );

const sees = (host: LabHost, family: 'ipv4' | 'ipv6') => host.tcp(lab.gateway[family], 22, { timeout: 300 });

describe.each([
  ['the kernel', 'strikes: off', PORTS, true],
  ['sockets', 'source: socket', UDP_PORTS, false],
] as const)('with knocks from %s', (_name, knock, ports, isKernel) => {
  let ears: Ears;
  beforeAll(async () => {
    ears = new Ears(lab.gateway, { config: config(knock), sequence: ports });
    await ears.ready();
  });
  afterAll(() => ears?.end());
  afterEach(() => {
    ears.heard.length = 0;
  });

  it.each(FAMILIES)('the code that the laptop shows is heard, and opens nothing by itself, over %s', async (family) => {
    const { ended, shown } = pair(lab.gateway[family], { ports });
    const code = await shown();
    const [heard] = await ears.of(lab.laptop[family]);
    expect(parsePairing(Buffer.from(heard?.payload ?? '', 'hex'))).toBe(code);
    expect(heard).toMatchObject({ early: false, inMailbox: false });
    expect(await sees(lab.laptop, family)).toBe('silent');
    await letIn(family);
    const { code: status, events, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(events[1]).toMatchObject({ event: 'result', open: true, already_open: false, listening: true });
    await lab.gateway.nft(
      `delete element inet sallyport grant_ssh_${family === 'ipv4' ? 4 : 6} { ${lab.laptop[family]} }`,
    );
  });

  it.each(FAMILIES)('a plain knock is what it always was, over %s', async (family) => {
    const text = '\n';
    await lab.phone.knock(lab.gateway[family], steps(ports), { payload: text });
    const [heard] = await ears.of(lab.phone[family]);
    const last = Buffer.from(text).toString('hex');
    expect(heard).toMatchObject({ payload: last, early: isKernel, inMailbox: isKernel });
    expect(await sees(lab.phone, family)).toBe(isKernel ? 'open' : 'silent');
  });

  it('the same code comes again where a packet was lost on the way', async () => {
    await lab.onTheWire(`table netdev loss {
      chain from_laptop {
        type filter hook ingress device p1 priority 0;
        udp dport 24711 limit rate 1/day burst 1 packets drop
      }
    }`);
    const { child, ended, shown } = pair(lab.gateway.ipv4, { ports });
    const code = await shown();
    const [heard] = await eventually(
      () => ears.heard,
      ({ length }) => length > 0,
      10_000,
    );
    expect(parsePairing(Buffer.from(heard?.payload ?? '', 'hex'))).toBe(code);
    await lab.onTheWire('delete table netdev loss');
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
  });
});

describe('with rules', () => {
  const setup = { config: config('strikes: off'), sequence: PORTS };
  let ears: Ears;
  beforeAll(async () => {
    ears = new Ears(lab.gateway, setup);
    await ears.ready();
  });
  afterAll(() => ears?.end());

  const completing = (source: string, destination: string, payload: Uint8Array) =>
    steps(PORTS).map((knock, i) => packet({ source, destination, ...knock, ...(i === 2 ? { payload } : {}) }));

  it.each(FAMILIES)('only what looks like a code to the daemon stays out of the mailbox, over %s', async (family) => {
    const many = await lab.manyAddresses(lab.stranger, family === 'ipv4' ? 95 : 96);
    const code = encodePairing(CODE);
    const damaged = code.slice().fill(0, 8);
    const payloads: readonly [Uint8Array, boolean][] = [
      [code, false],
      [damaged, false],
      [code.slice(0, 8), true],
      [Uint8Array.from([...code, 0]), true],
      [Uint8Array.from([...code.slice(0, 4), 2, ...code.slice(5)]), true],
      [new Uint8Array(), true],
      [new Uint8Array(1200).fill(0xc7), true],
    ];
    // In turn: those that come together are not opened early.
    for (const [index, [payload, isPlain]] of payloads.entries()) {
      const source = many[family](index + 1);
      await lab.stranger.raw(lab.gateway, completing(source, lab.gateway[family], payload));
      const [heard] = await ears.of(source);
      expect(heard, `payload ${index}`).toMatchObject({ inMailbox: isPlain, early: isPlain });
    }
  });

  it('a knock with a code that rang unheard is not taken for a plain one later, and comes again', async () => {
    await ears.end();
    const many = await lab.manyAddresses(lab.stranger, 97);
    const [plain, coded] = [many.ipv4(1), many.ipv4(2)];
    await lab.stranger.raw(lab.gateway, [
      ...completing(plain, lab.gateway.ipv4, new Uint8Array()),
      ...completing(coded, lab.gateway.ipv4, encodePairing(CODE)),
    ]);
    ears = new Ears(lab.gateway, { ...setup, keep: true });
    await ears.ready();
    await ears.of(plain);
    expect(ears.heard.map(({ source }) => source)).toEqual([plain]);
    expect(await ears.mailbox()).toEqual([plain]);
    await lab.stranger.raw(lab.gateway, completing(coded, lab.gateway.ipv4, encodePairing(CODE)));
    const [heard] = await ears.of(coded);
    expect(parsePairing(Buffer.from(heard?.payload ?? '', 'hex'))).toBe(CODE);
  });

  it('the table reads back as it is, and what is listed can be loaded', async () => {
    const listing = async () =>
      (await lab.gateway.exec('nft', ['-s', '-t', 'list', 'table', 'inet', 'sallyport'])).stdout;
    const before = await listing();
    expect(before).toContain('goto paired');
    await lab.gateway.nft(`delete table inet sallyport\n${before}`);
    expect(await listing()).toBe(before);
  });
});

describe('the client', () => {
  it('says what to do where the last port is TCP, and sends nothing', async () => {
    const received = await lab.gateway.received();
    const { code, events, stderr } = await pair(lab.gateway.ipv4, { ports: 'udp/21234,tcp/28111' }).ended;
    expect([code, events]).toEqual([1, []]);
    expect(stderr).toMatch(/^SP_CLIENT_NO_CARRIER: [^\n]*rotate[^\n]*\n$/);
    expect((await lab.gateway.received()) - received).toBeLessThan(5);
  });

  it('stops cleanly with Ctrl-C, within a moment', async () => {
    const { child, ended, shown } = pair(lab.gateway.ipv6);
    const code = await shown();
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: '', events: [{ code }, { event: 'stopped', code }] });
  });
});
