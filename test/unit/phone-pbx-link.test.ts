/** The link over any driver: it tells of each call and ring once, and goes on trying. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { CallId, PhoneNumber, Sound } from '../../src/core/phone/link.ts';
import { PbxLink } from '../../src/phone/pbx-link.ts';
import { PbxError, type SessionEvents } from '../../src/phone/session.ts';
import { pass } from '../support/phone/fake-agi.ts';

const NUMBER = '1001' as PhoneNumber;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function rig() {
  const log: string[] = [];
  /** What the driver was asked to connect for, the latest last; each is answered by the test. */
  const attempts: { events: SessionEvents; succeed(): void; fail(error: unknown): void }[] = [];
  const session = {
    listen: () => void log.push('listen'),
    play: (call: CallId, turn: number, names: readonly Sound[]) => void log.push(`play ${call} ${turn} ${names}`),
    stopPlay: (call: CallId, turn: number) => void log.push(`stop ${call} ${turn}`),
    hangUp: (call: CallId) => void log.push(`hang-up ${call}`),
    ring: (ring: string) => void log.push(`ring ${ring}`),
    close: () => void log.push('close'),
  };
  const link = new PbxLink({
    connect: (events) =>
      new Promise((resolve, reject) => attempts.push({ events, succeed: () => resolve(session), fail: reject })),
  });
  const told: string[] = [];
  void link.start({
    onCall: ({ id, ring }) => void told.push(`call ${id}${ring === null ? '' : ` ${ring}`}`),
    onDigit: (call, digit) => void told.push(`digit ${call} ${digit}`),
    onPlayed: (call, turn) => void told.push(`played ${call} ${turn}`),
    onHangUp: (call) => void told.push(`hung-up ${call}`),
    onRingFailed: (ring, why) => void told.push(`failed ${ring} ${why}`),
    onAuthorize: (one) => void told.push(`authorize ${'fault' in one ? one.fault : one.account}`),
    onHealth: ({ state }) => void told.push(state),
  });
  const latest = () => attempts.at(-1) ?? expect.fail('nobody asked');
  const connect = async () => {
    latest().succeed();
    await pass(0);
    return latest().events;
  };
  const call = (id: string, ring: string | null = null) => ({ id: id as CallId, callerId: null, address: null, ring });
  return { link, log, told, attempts, latest, connect, call };
}

test('a lost connection ends its calls and rings, each told once, and is made anew within seconds', async () => {
  const { link, told, attempts, connect, call } = rig();
  const events = await connect();
  events.onAuthorize({ account: '1001', address: parseAddress('192.0.2.7') });
  events.onCall(call('1'));
  link.ring('r', NUMBER);
  events.onLost(new PbxError('unreachable', 'gone'));
  events.onHangUp('1' as CallId);
  events.onDigit('1' as CallId, '5');
  events.onCall(call('2'));
  events.onAuthorize({ account: '1002', address: parseAddress('192.0.2.7') });
  events.onLost(new PbxError('refused', 'again'));
  expect(told).toEqual(['connected', 'authorize 1001', 'call 1', 'hung-up 1', 'failed r unreachable', 'unreachable']);
  expect(link.health()).toEqual({ state: 'unreachable', detail: 'gone', calls: 0 });
  await pass(1500);
  expect(attempts).toHaveLength(2);
  await connect();
  expect(link.health()).toEqual({ state: 'connected', detail: null, calls: 0 });
});

test('what a person must mend is tried again slowly, what may be starting soon', async () => {
  const { link, latest, attempts } = rig();
  latest().fail(new PbxError('refused', 'no'));
  await pass(25_000);
  expect(attempts).toHaveLength(1);
  expect(link.health().state).toBe('refused');
  await pass(10_000);
  expect(attempts).toHaveLength(2);
  latest().fail(new PbxError('unready', 'not yet'));
  await pass(1500);
  expect(link.health().state).toBe('refused');
  expect(attempts).toHaveLength(3);
  latest().fail('a string, as old libraries throw');
  await pass(1500);
  expect(link.health().state).toBe('unreachable');
  expect(attempts).toHaveLength(4);
});

test('a session that opens after it was given up is closed', async () => {
  const { link, log, latest, attempts } = rig();
  link.fail(new Error('thrown elsewhere'));
  latest().succeed();
  await pass(0);
  expect(log).toEqual(['close']);
  await pass(1500);
  expect(attempts).toHaveLength(2);
});

test('a ring is told to have failed where it cannot be, or nothing more is heard of it', async () => {
  const { link, told, connect, call, log } = rig();
  link.ring('early', NUMBER);
  const events = await connect();
  for (const number of ['', '1 2', '1\r\nAction: x', '9'.repeat(40)]) link.ring('odd', number as PhoneNumber);
  link.ring('r1', NUMBER);
  events.onRingFailed('r1', 'busy');
  events.onRingFailed('r1', 'busy');
  link.ring('r2', NUMBER);
  await pass(60_000);
  // It answers after all: nobody waits for it.
  events.onCall(call('9', 'r2'));
  const odd = Array.from({ length: 4 }, () => 'failed odd unreachable');
  expect(told).toEqual(['failed early unreachable', 'connected', ...odd, 'failed r1 busy', 'failed r2 unanswered']);
  expect(log).toEqual(['listen', 'ring r1', 'ring r2', 'hang-up 9']);
});

test('only calls that there are can be asked for something, and only sounds that are sounds are played', async () => {
  const { link, log, connect, call } = rig();
  const events = await connect();
  const id = '1' as CallId;
  link.play(id, 1, []);
  events.onCall(call('1'));
  events.onCall(call('1'));
  link.play(id, 2, ['digits/1', '../x', 'a b', 'a"', 'a,b', '/etc', 'vm-goodbye'] as Sound[]);
  link.hangUp(id);
  events.onHangUp(id);
  link.hangUp(id);
  expect(log).toEqual(['listen', 'play 1 2 digits/1,vm-goodbye', 'hang-up 1']);
});

test('stop hangs up what is left, says no more, and leaves no timer', async () => {
  const { link, log, told, connect, call } = rig();
  const events = await connect();
  events.onCall(call('1'));
  link.ring('r', NUMBER);
  told.length = 0;
  const stopped = link.stop();
  await pass(2000);
  await stopped;
  events.onDigit('1' as CallId, '1');
  expect(log.slice(-2)).toEqual(['hang-up 1', 'close']);
  expect(told).toEqual([]);
  expect(link.health().state).toBe('off');
  expect(vi.getTimerCount()).toBe(0);
});
