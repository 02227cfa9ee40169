/** The main side of the thread of the PBX: whatever becomes of the thread, its calls end and another takes its place. */
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { CallId, PhoneNumber, Sound } from '../../src/core/phone/link.ts';
import { PhoneThread } from '../../src/phone/phone-thread.ts';
import type { PhoneReport, PhoneRequest } from '../../src/phone/thread-protocol.ts';
import { pass } from '../support/phone/fake-agi.ts';

const ID = '1.1' as CallId;
const ari = { url: 'http://127.0.0.1:8088', app: 'sallyport', username: 'sallyport', passwordFile: '/nowhere' };
const ami = { host: '127.0.0.1', port: 5038, username: 'sallyport', secretFile: '/nowhere', userEvents: false };

/** A thread that does what the test says. It answers pings as long as it is not told to hang. */
class FakeWorker extends EventEmitter {
  readonly asked: PhoneRequest[] = [];
  readonly stdout = { resume() {} };
  readonly stderr = { resume() {} };
  readonly options: Record<string, unknown>;
  hangs = false;
  isTerminated = false;

  constructor(_url: URL, options: Record<string, unknown>) {
    super();
    this.options = options;
    if (made.length > 0 && refusals > 0) {
      refusals--;
      throw new Error('no thread to be had');
    }
    made.push(this);
  }

  postMessage(request: PhoneRequest): void {
    if (this.hangs) return;
    this.asked.push(request);
    if (request.kind === 'ping') this.tell({ kind: 'pong' });
    if (request.kind === 'stop') this.tell({ kind: 'stopped' });
  }

  tell(report: PhoneReport): void {
    this.emit('message', report);
  }

  async terminate(): Promise<void> {
    this.isTerminated = true;
    this.emit('exit', 1);
  }

  unref(): void {}
}

const made: FakeWorker[] = [];
let refusals = 0;
vi.mock('node:worker_threads', () => ({
  Worker: class {
    constructor(url: URL, options: Record<string, unknown>) {
      // biome-ignore lint/correctness/noConstructorReturn: stands in for the class of Node
      return new FakeWorker(url, options);
    }
  },
}));

let told: string[];
let thread: PhoneThread;

beforeEach(async () => {
  vi.useFakeTimers();
  made.length = 0;
  refusals = 0;
  told = [];
  thread = new PhoneThread({ driver: 'ari', ari, ami });
  await thread.start({
    onCall: ({ id, ring }) => void told.push(`call ${id}${ring === null ? '' : ` ${ring}`}`),
    onDigit: (call, digit) => void told.push(`digit ${call} ${digit}`),
    onPlayed: (call, turn) => void told.push(`played ${call} ${turn}`),
    onHangUp: (call) => void told.push(`hung-up ${call}`),
    onRingFailed: (ring, why) => void told.push(`failed ${ring} ${why}`),
    onAuthorize: (one) => void told.push(`authorize ${'fault' in one ? one.fault : `${one.account} ${one.address}`}`),
  });
});
afterEach(() => void vi.useRealTimers());

const worker = () => made.at(-1) ?? expect.fail('there is no thread');
const begins = (ring: string | null = null) =>
  worker().tell({ kind: 'call', call: { id: ID, callerId: null, address: null, ring } });

test('the thread is given its own login and nothing else, and an environment and a console of its own', () => {
  expect(worker().options).toMatchObject({ workerData: { driver: 'ari', ari }, env: {}, stdout: true, stderr: true });
  expect(JSON.stringify(worker().options.workerData)).not.toContain('secretFile');
});

test('a thread that dies ends its calls and rings, each told once, and is replaced', async () => {
  begins();
  thread.ring('r', '1001' as PhoneNumber);
  worker().emit('error', 'a string, as old libraries throw');
  expect(told).toEqual(['call 1.1', 'hung-up 1.1', 'failed r unreachable']);
  expect(thread.health()).toMatchObject({ state: 'failed', calls: 0 });
  made[0]?.tell({ kind: 'digit', call: ID, digit: '5', turn: 0 });
  await pass(2000);
  expect(made).toHaveLength(2);
  worker().tell({ kind: 'health', state: 'connected', detail: null });
  expect(thread.health()).toEqual({ state: 'connected', detail: null, calls: 0 });
  expect(told).toHaveLength(3);
});

test('a thread that hangs is replaced, one that is slow to answer is not', async () => {
  worker().tell({ kind: 'health', state: 'connected', detail: null });
  begins();
  worker().hangs = true;
  await pass(6000);
  worker().hangs = false;
  worker().tell({ kind: 'pong' });
  await pass(10_000);
  expect(made).toHaveLength(1);
  worker().hangs = true;
  await pass(15_000);
  expect(made[0]?.isTerminated).toBe(true);
  expect(made).toHaveLength(2);
  expect(told).toEqual(['call 1.1', 'hung-up 1.1']);
});

test('one that dies again and again is started less and less often', async () => {
  refusals = 1000;
  worker().emit('exit', 1);
  await pass(120_000);
  // 1, 2, 4, 8, 16, 30, 30, … seconds.
  expect(1000 - refusals).toBeGreaterThan(4);
  expect(1000 - refusals).toBeLessThan(10);
  expect(thread.health().state).toBe('failed');
  refusals = 0;
  await pass(40_000);
  expect(made).toHaveLength(2);
});

test('a digit that crossed a play on its way stops it', () => {
  begins();
  thread.play(ID, 7, ['digits/1'] as Sound[]);
  worker().tell({ kind: 'digit', call: ID, digit: '5', turn: 6 });
  worker().tell({ kind: 'digit', call: ID, digit: '6', turn: 7 });
  expect(worker().asked.slice(-2)).toEqual([
    { kind: 'play', call: ID, turn: 7, sounds: ['digits/1'] },
    { kind: 'stop-play', call: ID, turn: 7 },
  ]);
  expect(told).toEqual(['call 1.1', 'digit 1.1 5', 'digit 1.1 6']);
});

test('what the dialplan asks for is handed on', () => {
  worker().tell({ kind: 'authorize', authorization: { account: '1001', address: parseAddress('192.0.2.7') } });
  worker().tell({ kind: 'authorize', authorization: { fault: 'both' } });
  expect(told).toEqual(['authorize 1001 192.0.2.7', 'authorize both']);
});

test('an answer to a ring that was given up is hung up', () => {
  begins('r1');
  expect(told).toEqual([]);
  expect(worker().asked.at(-1)).toEqual({ kind: 'hang-up', call: ID });
});

test('stop asks the thread to end, ends it, and starts no other', async () => {
  begins();
  const stopping = worker();
  await thread.stop();
  expect(stopping.asked.at(-1)).toEqual({ kind: 'stop' });
  expect(stopping.isTerminated).toBe(true);
  await pass(60_000);
  expect(made).toHaveLength(1);
  expect(thread.health()).toEqual({ state: 'off', detail: null, calls: 0 });
  expect(told).toEqual(['call 1.1']);
});
