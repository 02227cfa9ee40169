/** One call as each driver leads it: what plays, what is heard, and that no digit is lost or told twice. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CallId, Digit, Sound } from '../../src/core/phone/link.ts';
import { AmiCall } from '../../src/phone/ami-call.ts';
import { AmiSession } from '../../src/phone/ami-session.ts';
import { AriCall } from '../../src/phone/ari-call.ts';
import { FakeAgi, pass } from '../support/phone/fake-agi.ts';
import { CHANNEL, SOFTPHONE } from '../support/phone/softphone.ts';

const ID = '1.1' as CallId;
const sounds = (...names: string[]) => names as Sound[];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('by AMI', () => {
  function callOn() {
    const digits: Digit[] = [];
    const played: number[] = [];
    const told = { onDigit: (digit: Digit) => digits.push(digit), onPlayed: (turn: number) => played.push(turn) };
    const agi: FakeAgi = new FakeAgi((id, result) => call.done(id, result));
    const call = new AmiCall(ID, agi.send, told);
    return { call, agi, digits, played };
  }

  /** A session that is told of a call on a channel which is up, and looks up its softphone. */
  async function sessionOn() {
    const told: string[] = [];
    const none = () => undefined;
    const session: AmiSession = new AmiSession(
      {
        onCall: ({ address }) => told.push(`call from ${address}`),
        onDigit: (_, digit) => told.push(digit),
        ...{ onPlayed: none, onHangUp: none, onRingFailed: none, onAuthorize: none, onLost: none },
      },
      { userEvents: false },
    );
    const agi: FakeAgi = new FakeAgi((commandid, result) =>
      session.receive({ event: 'AsyncAGIExec', uniqueid: ID, commandid, result: encodeURIComponent(result) }),
    );
    agi.variables = SOFTPHONE;
    const action = async ({ action, command = '', commandid = '' }: Readonly<Record<string, string>>) => {
      if (action === 'AGI') agi.send(command, commandid);
      return { response: 'Success' };
    };
    await session.open({ action, close: () => undefined });
    session.listen();
    const start = { event: 'AsyncAGIStart', uniqueid: ID, channel: CHANNEL, channelstate: '6' };
    session.receive(start);
    return { session, agi, told };
  }

  test('no digit is lost while the softphone is looked up; all are told after the call, in order', async () => {
    const gaps = fc.array(fc.integer({ min: 40, max: 200 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: 300 }), gaps, async (first, times) => {
        const { session, agi, told } = await sessionOn();
        for (const [n, gap] of [first, ...times].entries()) {
          await pass(gap);
          agi.press(`${n}`);
        }
        await pass(1500);
        session.close();
        expect(agi.lost).toBe(0);
        expect(told).toEqual(['call from 192.0.2.7', ...[first, ...times].map((_, n) => `${n}`)]);
      }),
      { numRuns: 500 },
    );
  });

  test('a softphone is looked up within a fifth of a second, and one that does not answer within two', async () => {
    const { session, agi, told } = await sessionOn();
    await pass(220);
    expect(told).toEqual(['call from 192.0.2.7']);
    session.close();
    const other = await sessionOn();
    other.agi.delay = 60_000;
    await pass(2000);
    expect(other.told).toEqual(['call from null']);
    other.session.close();
    expect(agi.lost).toBe(0);
  });

  test('something always runs that reads digits: none is lost, whenever they come', async () => {
    // The shortest often: what is queued between two digits then has hardly the time.
    const gap = fc.oneof(fc.constant(40), fc.integer({ min: 40, max: 900 }));
    const gaps = fc.array(gap, { minLength: 5, maxLength: 40 });
    const plays = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(gaps, plays, async (times, isPlayed) => {
        const { call, agi, digits } = callOn();
        call.begin(true);
        call.announced();
        await pass(20);
        for (const [n, gap] of times.entries()) {
          if (isPlayed[n]) call.play(n, sounds('a', 'b', 'c'));
          await pass(gap);
          agi.press(`${n % 10}`);
        }
        await pass(500);
        call.over();
        expect(agi.lost).toBe(0);
        expect(digits.join('')).toBe(times.map((_, n) => n % 10).join(''));
      }),
      { numRuns: 1500 },
    );
  });

  test('sounds are played in their order, and told when all were heard', async () => {
    const { call, agi, played } = callOn();
    call.begin(true);
    call.announced();
    call.play(3, sounds('a', 'b'));
    await pass(5000);
    expect(played).toEqual([3]);
    const names = agi.log.filter((command) => command.startsWith('EXEC')).map((command) => command.slice(17, 18));
    expect(names).toEqual(['a', 'b']);
    call.over();
  });

  test('a digit ends the play; what was to follow is not begun', async () => {
    const { call, agi, played } = callOn();
    call.begin(true);
    call.announced();
    call.play(1, sounds('a', 'b', 'c'));
    await pass(600);
    agi.press('5');
    await pass(5000);
    expect(agi.log.filter((command) => command.startsWith('EXEC'))).toHaveLength(1);
    expect(played).toEqual([]);
    call.over();
  });

  test('after a digit the next play begins within a fifth of a second', async () => {
    const { call, agi } = callOn();
    call.begin(true);
    call.announced();
    await pass(1000);
    agi.press('1');
    await pass(10);
    call.play(1, sounds('a'));
    await pass(200);
    expect(agi.log.at(-1)).toContain('EXEC');
    call.over();
  });

  test('the caller is given seconds only, again and again, and none once it is over', async () => {
    const { call, agi } = callOn();
    const limits = () => agi.log.filter((command) => command.startsWith('SET VARIABLE TIMEOUT(absolute)')).length;
    call.begin(true);
    await pass(18_000);
    expect(limits()).toBe(4);
    call.over();
    await pass(18_000);
    expect(limits()).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('nothing to play is heard at once, a sound on its way or not', async () => {
    const { call, played } = callOn();
    call.begin(true);
    call.announced();
    call.play(1, sounds());
    call.play(2, sounds('a', 'b'));
    call.play(3, sounds());
    expect(played).toEqual([1, 3]);
    await pass(3000);
    expect(played).toEqual([1, 3]);
    call.over();
  });
});

describe('by ARI', () => {
  /** Playbacks as Asterisk queues them on a channel. */
  function callOn() {
    const digits: Digit[] = [];
    const played: number[] = [];
    const queue: { id: string; sounds: readonly string[] }[] = [];
    let emptied = 0;
    const call = new AriCall(
      ID,
      {
        play: async (_, id, names) => void queue.push({ id, sounds: names }),
        stopPlayback: async (id) => finish(id),
        answer: async () => undefined,
        hangUp: async () => undefined,
      },
      { onDigit: (digit) => digits.push(digit), onPlayed: (turn) => played.push(turn) },
    );
    const finish = (id: string) => {
      const at = queue.findIndex((one) => one.id === id);
      if (at < 0) throw new Error('Playback not found');
      queue.splice(at, 1);
      if (queue.length === 0) emptied++;
      call.finished(id);
    };
    const current = () => queue[0]?.sounds[0] ?? '';
    return { call, queue, digits, played, finish, current, emptied: () => emptied };
  }

  test('something always plays, however plays, digits and ends of sounds follow each other', async () => {
    const steps = fc.array(fc.constantFrom('play', 'digit', 'ends', 'pass'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (kinds) => {
        const { call, queue, digits, played, finish, emptied } = callOn();
        call.begin(true);
        call.announced();
        await pass(1);
        let turn = 0;
        for (const kind of kinds) {
          if (kind === 'play') call.play(++turn, sounds('prompt'));
          else if (kind === 'digit') call.digit('1');
          else if (kind === 'pass') await pass(1);
          else if (queue[0]?.sounds[0] === 'prompt') finish(queue[0].id);
        }
        await pass(1);
        expect(emptied()).toBe(0);
        expect(queue.at(-1)?.sounds[0]).toBe('silence/10');
        expect(digits).toHaveLength(kinds.filter((kind) => kind === 'digit').length);
        // Each turn is told at most once, and in order.
        expect(played).toEqual([...new Set(played)].sort((a, b) => a - b));
      }),
    );
  });

  test('a prompt that is heard to its end is told; one that a digit has stopped is not', async () => {
    const { call, queue, played, finish, current } = callOn();
    call.begin(true);
    call.announced();
    call.play(1, sounds('one'));
    await pass(1);
    expect(current()).toBe('one');
    finish(queue[0]?.id ?? '');
    call.play(2, sounds('two'));
    await pass(1);
    call.digit('5');
    await pass(1);
    expect(current()).toBe('silence/10');
    expect(played).toEqual([1]);
  });

  test('a play that was asked for before the digit was known is not begun', async () => {
    const { call, played, current } = callOn();
    call.begin(true);
    await pass(1);
    call.digit('1');
    call.play(1, sounds('late'));
    call.stopPlay(1);
    await pass(1);
    expect(current()).toBe('silence/10');
    expect(played).toEqual([]);
  });

  test('digits that come before the call is told of are told after it, in order', () => {
    const { call, digits } = callOn();
    for (const digit of ['1', '2', '3'] as const) call.digit(digit);
    expect(digits).toEqual([]);
    call.announced();
    call.digit('4');
    expect(digits).toEqual(['1', '2', '3', '4']);
  });

  test('silence that has ended is followed by more of it', async () => {
    const { call, queue, finish, current } = callOn();
    call.begin(true);
    await pass(1);
    finish(queue[0]?.id ?? '');
    await pass(1);
    expect(current()).toBe('silence/10');
  });
});
