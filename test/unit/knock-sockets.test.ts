import dgram from 'node:dgram';
import net from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type Address, formatAddress, parseAddress } from '#dist/core/address.js';
import { compileSteps } from '#dist/core/knock/automaton.js';
import type { CompletedKnock } from '#dist/core/knock/source.js';
import { parsePortSpan } from '#dist/core/ports.js';
import { type Knock, parseSequence } from '#dist/core/sequence.js';
import { minutes, seconds } from '#dist/core/time.js';
import { SocketPool, socketAddress } from '#dist/knock/socket-pool.js';
import { SocketKnockSource } from '#dist/knock/socket-source.js';
import { address, addressNumber } from '../support/core-arbitraries.ts';

/** Outside the range of the system's own ports; each process of the tests has its own. */
const FIRST = 10_000 + (process.pid % 400) * 40;
const POOL = parsePortSpan(`${FIRST}-${FIRST + 20}`);
const port = (n: number) => FIRST + n;
/** The knocks of somebody who knocks after the others: what was sent before has been heard then. */
const WITNESS = { sequenceId: 99, sequence: parseSequence(`udp/${port(18)},udp/${port(16)}`) };
const ANNA = { sequenceId: 7, sequence: parseSequence([1, 5, 3].map((n) => `udp/${port(n)}`).join()) };
const LIMIT = { wrong: 3, per: minutes(1), ignoreFor: minutes(10) };

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Datagrams to the ports of the pool, in their order. */
async function send(ports: readonly number[], payload = '', host = '127.0.0.1'): Promise<void> {
  const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  for (const n of ports) await new Promise((resolve) => socket.send(payload, port(n), host, resolve));
  socket.close();
}

/** Waits until a list is as long as that. */
async function filled(list: { readonly length: number }, length: number): Promise<void> {
  while (list.length < length) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('the sockets of the pool', () => {
  async function listen(protocols: ('tcp' | 'udp')[]) {
    const heard: { source: Address; knock: Knock; payload: string }[] = [];
    const pool = new SocketPool({
      pool: POOL,
      protocols,
      onPacket: (source, knock, payload) => heard.push({ source, knock, payload: Buffer.from(payload).toString() }),
      onError: (error) => expect.unreachable(error.message),
    });
    open.push(pool);
    await pool.open();
    return { pool, heard };
  }

  it('hear every port, the first and the last, over IPv4 and IPv6, with what the datagram carried', async () => {
    const { heard } = await listen(['udp']);
    await send([0, 20], 'four');
    await send([7], 'six', '::1');
    await filled(heard, 3);
    expect(heard.sort((a, b) => (a.payload + a.knock.port < b.payload + b.knock.port ? -1 : 1))).toEqual([
      { source: '127.0.0.1', knock: { protocol: 'udp', port: port(0) }, payload: 'four' },
      { source: '127.0.0.1', knock: { protocol: 'udp', port: port(20) }, payload: 'four' },
      { source: '::1', knock: { protocol: 'udp', port: port(7) }, payload: 'six' },
    ]);
  });

  it('take a connection for a knock, and cut it at once', async () => {
    const { heard } = await listen(['tcp', 'udp']);
    for (const host of ['127.0.0.1', '::1']) {
      const connection = net.connect(port(4), host).on('error', () => undefined);
      await new Promise((resolve) => connection.once('close', resolve));
    }
    await filled(heard, 2);
    const knock = { protocol: 'tcp', port: port(4) };
    expect(heard).toEqual([
      { source: '127.0.0.1', knock, payload: '' },
      { source: '::1', knock, payload: '' },
    ]);
  });

  it.each(['udp', 'tcp'] as const)('are all closed again where a port is taken: %s', async (protocol) => {
    await hold(protocol, port(13));
    const pool = new SocketPool({ pool: POOL, protocols: ['udp', 'tcp'], onPacket: () => {}, onError: () => {} });
    const refused = pool.open();
    await expect(refused).rejects.toMatchObject({
      code: 'SP_POOL_TAKEN',
      details: { port: `${protocol}/${port(13)}` },
    });
    for (const n of [0, 12, 14, 20]) {
      await hold('udp', port(n));
      await hold('tcp', port(n));
    }
  });

  it('are told apart from too few files before any is made', async () => {
    const pool = new SocketPool({
      pool: parsePortSpan('1024-65535'),
      protocols: ['tcp', 'udp'],
      onPacket: () => {},
      onError: () => {},
    });
    await expect(pool.open()).rejects.toMatchObject({ code: expect.stringMatching(/^SP_POOL_(DESCRIPTORS|TAKEN)$/) });
  });

  it('give an address as our own parser would write it, IPv4 as IPv4', () => {
    fc.assert(
      fc.property(address, (one) => {
        const family = one.includes(':') ? 'ipv6' : 'ipv4';
        expect(socketAddress(new net.SocketAddress({ family, address: one }).address)).toBe(one);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(addressNumber, ({ family, bits }) => {
        fc.pre(family === 4);
        const mapped = new net.SocketAddress({ family: 'ipv6', address: `::ffff:${formatAddress(4, bits)}` }).address;
        expect(socketAddress(mapped)).toBe(formatAddress(4, bits));
      }),
    );
    expect(socketAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(socketAddress('::203.0.113.7')).toBe(parseAddress('::cb00:7107'));
    expect(socketAddress('::ffff:0:1.2.3.4')).toBe(parseAddress('::ffff:0:102:304'));
    expect(socketAddress('nonsense:1.2.3.4')).toBeUndefined();
  });
});

describe('the source of knocks over sockets', () => {
  async function listen(strikes: typeof LIMIT | null = null) {
    const knocks: CompletedKnock[] = [];
    const struck: string[] = [];
    const failures: Error[] = [];
    const setup = { pool: POOL, protocols: ['udp'] as const, window: seconds(10), strikes };
    const source = new SocketKnockSource(setup, (error) => failures.push(error));
    open.push({ close: () => source.stop() });
    await source.open();
    const start = () =>
      source.start({
        onKnocks: async (some) => void knocks.push(...some),
        onStruck: (some) => struck.push(...some),
      });
    return { source, start, knocks, struck, failures };
  }

  it('tells of a whole sequence, with what its last datagram carried, and of nothing else', async () => {
    const { source, start, knocks } = await listen();
    await source.replaceSteps(compileSteps([ANNA, WITNESS]));
    await start();
    await send([1, 5, 7, 3, 18, 16], 'early');
    await filled(knocks, 1);
    await send([1, 5], 'early');
    await send([3], 'the payload');
    await filled(knocks, 2);
    const payload = Uint8Array.from(Buffer.from('the payload'));
    expect(knocks.map(({ sequenceId }) => sequenceId)).toEqual([99, 7]);
    expect(knocks[1]).toEqual({ source: '127.0.0.1', sequenceId: 7, payload, completion: null, early: null });
    expect(source.health()).toMatchObject({ state: 'listening' });
  });

  it('loses nothing that is complete before the start', async () => {
    const { source, start, knocks } = await listen();
    await source.replaceSteps(compileSteps([ANNA, WITNESS]));
    await send([1, 5, 3, 18, 16]);
    await start();
    await filled(knocks, 2);
    expect(knocks.map(({ sequenceId }) => sequenceId)).toEqual([7, 99]);
  });

  it('follows the users as they come and go', async () => {
    const { source, start, knocks } = await listen();
    await start();
    const ben = { sequenceId: 8, sequence: parseSequence(`udp/${port(9)},udp/${port(11)}`) };
    const both = compileSteps([ANNA, ben]);
    await source.changeSteps([], [...both]);
    await send([9, 11]);
    await filled(knocks, 1);
    await source.changeSteps(
      [...both.keys()].filter((key) => !compileSteps([ANNA]).has(key)),
      [],
    );
    expect([...source.steps]).toEqual([...compileSteps([ANNA])]);
    await send([9, 11, 1, 5, 3]);
    await filled(knocks, 2);
    expect(knocks.map(({ sequenceId }) => sequenceId)).toEqual([8, 7]);
  });

  it('ignores a source of too many wrong packets, says so once, and forgives', async () => {
    const { source, start, knocks, struck } = await listen(LIMIT);
    await source.replaceSteps(compileSteps([ANNA]));
    await start();
    await send([10, 12, 14, 16, 1, 5, 3]);
    await filled(struck, 1);
    expect(struck).toEqual(['127.0.0.1']);
    const [ignored, ...others] = await source.ignored();
    expect(others).toEqual([]);
    expect(ignored).toMatchObject({ target: '127.0.0.1' });
    expect(ignored?.remaining).toBeLessThanOrEqual(LIMIT.ignoreFor);
    await source.forgive([parseAddress('127.0.0.1')]);
    expect(await source.ignored()).toEqual([]);
    await send([1, 5, 3]);
    await filled(knocks, 1);
    expect(knocks).toHaveLength(1);
    expect(struck).toHaveLength(1);
  });

  it('frees every port when it stops, and answers nothing any more', async () => {
    const { source, start, failures } = await listen();
    await start();
    await source.stop();
    for (let n = 0; n <= 20; n++) await hold('udp', port(n));
    expect(source.health()).toEqual({ state: 'stopped', detail: null });
    expect(await source.ignored()).toEqual([]);
    await source.forgive([parseAddress('127.0.0.1')]);
    expect(failures).toEqual([]);
  });

  it('refuses a pool of which a port is taken, with a coded error that names it', async () => {
    await hold('udp', port(6));
    await expect(listen()).rejects.toMatchObject({
      code: 'SP_POOL_TAKEN',
      message: expect.stringContaining(`udp/${port(6)}`),
    });
  });
});

/** Takes a port until the end of the test. */
async function hold(protocol: 'tcp' | 'udp', number: number): Promise<void> {
  if (protocol === 'udp') {
    const socket = dgram.createSocket('udp4');
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(number, '127.0.0.1', resolve));
    open.push({ close: () => socket.close() });
  } else {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(number, '127.0.0.1', resolve));
    open.push({ close: () => server.close() });
  }
}
