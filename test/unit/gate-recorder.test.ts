import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SallyportError } from '../../src/core/errors.ts';
import type { Change, NumberedEvent } from '../../src/core/store.ts';
import { millis, seconds } from '../../src/core/time.ts';
import { Recorder } from '../../src/gate/recorder.ts';
import { EIGHT, stopTime, type TimerClock } from '../support/fake-clock.ts';
import { FakeLog, FakeStore } from '../support/gate-fakes.ts';

const FULL = new SallyportError('SP_STORE_FULL', { directory: '/state' });
const REFUSED = new SallyportError('SP_STORE_REFUSED', { problem: 'it is bad' });

/** A change that tells which it is, without an event for the journal. */
const nth = (n: number): Change => ({ kind: 'meta', key: 'last_id', value: String(n) });
const event = (n: number): Change => ({
  kind: 'journal',
  event: { at: EIGHT, event: 'daemon.started', detail: String(n) },
});
const numbers = (changes: readonly Change[]) =>
  changes.map((change) => (change.kind === 'meta' ? Number(change.value) : Number.NaN));

let clock: TimerClock;
let store: FakeStore;
let log: FakeLog;
let recorder: Recorder;

beforeEach(() => {
  clock = stopTime();
  store = new FakeStore();
  log = new FakeLog();
  recorder = new Recorder({ store, log });
});
afterEach(() => vi.useRealTimers());

/** What became of a promise so far. */
function watch(promise: Promise<unknown>) {
  const fate = { is: 'waiting' as unknown };
  promise.then(
    () => {
      fate.is = 'written';
    },
    (error) => {
      fate.is = error;
    },
  );
  return fate;
}

describe('records', () => {
  it('are written in their order, each resolved when it is kept', async () => {
    await Promise.all([recorder.record([nth(1), nth(2)]), recorder.record([nth(3)]), recorder.record([nth(4)])]);
    expect(numbers(store.kept)).toEqual([1, 2, 3, 4]);
    expect([recorder.waiting, recorder.problem]).toEqual([0, undefined]);
  });

  it('that come while one is being written share the next write', async () => {
    const open = store.hold();
    const all = [1, 2, 3, 4].map((n) => recorder.record([nth(n)]));
    await clock.advance(millis(1));
    expect(store.kept).toEqual([]);
    open();
    await Promise.all(all);
    expect(store.writes).toEqual([1, 3]);
  });

  it('wait while the disk is full, and none is lost, doubled or out of order', async () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({ do: fc.constant('record' as const), changes: fc.integer({ min: 1, max: 3 }) }),
        },
        { weight: 2, arbitrary: fc.constant({ do: 'full' as const }) },
        { weight: 2, arbitrary: fc.constant({ do: 'room' as const }) },
        { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), time: fc.nat(2500) }) },
      ),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        store = new FakeStore();
        recorder = new Recorder({ store, log });
        let last = 0;
        for (const one of all) {
          if (one.do === 'record') void recorder.record(Array.from({ length: one.changes }, () => nth(++last)));
          else if (one.do === 'pass') await clock.advance(millis(one.time));
          else store.fault = one.do === 'full' ? () => FULL : undefined;
        }
        store.fault = undefined;
        await clock.advance(seconds(2));
        expect(numbers(store.kept)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
        expect(recorder.waiting).toBe(0);
      }),
    );
  });

  it('that cannot be written yet reject at once, and are kept all the same', async () => {
    store.fault = () => FULL;
    const fate = watch(recorder.record([nth(1)]));
    await clock.advance(millis(1));
    expect(fate.is).toBe(FULL);
    expect([recorder.waiting, recorder.problem]).toEqual([
      1,
      'the disk of /state is full: nothing more can be recorded',
    ]);
    store.fault = undefined;
    await clock.advance(seconds(1));
    expect(numbers(store.kept)).toEqual([1]);
    expect([recorder.waiting, recorder.problem]).toEqual([0, undefined]);
  });

  it('that cannot be written are logged about once when it begins and once when it is over', async () => {
    store.fault = () => FULL;
    void recorder.record([nth(1)]);
    await clock.advance(seconds(60));
    void recorder.record([nth(2)]);
    await clock.advance(seconds(60));
    store.fault = undefined;
    await clock.advance(seconds(2));
    expect(log.messages()).toEqual(['records cannot be written; trying again', 'the store takes records again']);
    expect(numbers(store.kept)).toEqual([1, 2]);
  });

  it('that the store refuses for good are left out, and the others do not wait for them', async () => {
    const bad = new Set(['3', '7']);
    store.fault = (changes) =>
      changes.some((change) => change.kind === 'meta' && bad.has(change.value)) ? REFUSED : undefined;
    const fates = Array.from({ length: 10 }, (_, i) => watch(recorder.record([nth(i + 1)])));
    await clock.advance(seconds(1));
    expect(numbers(store.kept)).toEqual([1, 2, 4, 5, 6, 8, 9, 10]);
    expect(fates.map(({ is }) => is)).toEqual(fates.map((_, i) => (bad.has(String(i + 1)) ? REFUSED : 'written')));
    expect([recorder.waiting, recorder.problem]).toEqual([0, undefined]);
    expect(log.messages('error')).toEqual(new Array(2).fill('the store refused a record; it is lost'));
  });

  it('drop the oldest where more wait than memory is for, and say so', async () => {
    const open = store.hold();
    const first = watch(recorder.record([nth(0)]));
    const oldest = watch(recorder.record([nth(1)]));
    for (let n = 2; n <= 200_001; n++) void recorder.record([nth(n)]);
    await clock.advance(millis(1));
    expect([first.is, oldest.is]).toEqual(['waiting', expect.any(Error)]);
    expect(log.messages('error')).toEqual(['too many records wait for the disk; the oldest is lost']);
    open();
    await clock.advance(seconds(1));
    expect(store.kept).toHaveLength(200_001);
    expect(numbers(store.kept.slice(0, 3))).toEqual([0, 2, 3]);
  });
});

describe('what must be recorded now', () => {
  it('resolves when it is kept', async () => {
    await recorder.recordNow([nth(1), nth(2)]);
    expect(numbers(store.kept)).toEqual([1, 2]);
  });

  it('rejects where it cannot be written, and is not tried again', async () => {
    store.fault = () => FULL;
    await expect(recorder.recordNow([nth(1)])).rejects.toBe(FULL);
    store.fault = undefined;
    await clock.advance(seconds(60));
    expect(store.kept).toEqual([]);
    expect([recorder.waiting, recorder.problem]).toEqual([0, undefined]);
  });

  it('never overtakes what waits for the disk', async () => {
    store.fault = () => FULL;
    void recorder.record([nth(1)]);
    await clock.advance(millis(100));
    await expect(recorder.recordNow([nth(2)])).rejects.toBe(FULL);
    store.fault = undefined;
    await recorder.recordNow([nth(3)]);
    expect(numbers(store.kept)).toEqual([1, 3]);
    expect([recorder.waiting, recorder.problem]).toEqual([0, undefined]);
  });
});

describe('stopping', () => {
  it('writes what waits', async () => {
    void recorder.record([nth(1)]);
    void recorder.record([nth(2)]);
    await recorder.stop();
    expect(numbers(store.kept)).toEqual([1, 2]);
  });

  it('tries once more at once, without waiting for its turn', async () => {
    store.fault = () => FULL;
    void recorder.record([nth(1)]);
    await clock.advance(millis(500));
    store.fault = undefined;
    await recorder.stop();
    expect(numbers(store.kept)).toEqual([1]);
  });

  it('ends where the disk stays full, and says how many records are lost', async () => {
    store.fault = () => FULL;
    void recorder.record([nth(1)]);
    void recorder.record([nth(2)]);
    await clock.advance(millis(500));
    await recorder.stop();
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', fields: { records: 2 } });
  });
});

describe('those who follow the journal', () => {
  const follower = () => {
    const seen: NumberedEvent[] = [];
    return { seen, seqs: () => seen.map(({ seq }) => seq), stop: recorder.follow((one) => void seen.push(one)) };
  };
  const settled = () => clock.advance(millis(10));

  it('get every event from then on, each once, with rising numbers', async () => {
    await recorder.record([event(1), event(2)]);
    const one = follower();
    await settled();
    await recorder.record([event(3), nth(1), event(4)]);
    const other = follower();
    await recorder.recordNow([event(5)]);
    void recorder.record([event(6)]);
    void recorder.record([event(7)]);
    await settled();
    expect(one.seqs()).toEqual([3, 4, 5, 6, 7]);
    expect(one.seen.map(({ detail }) => detail)).toEqual(['3', '4', '5', '6', '7']);
    expect(other.seqs()).toEqual(one.seqs().slice(-other.seqs().length));
    expect(other.seqs()).toEqual(expect.arrayContaining([5, 6, 7]));
  });

  it('get nothing more once they stop, and begin anew where they left off nobody', async () => {
    const one = follower();
    await settled();
    await recorder.record([event(1)]);
    await settled();
    one.stop();
    await recorder.record([event(2)]);
    await settled();
    const other = follower();
    await settled();
    await recorder.record([event(3)]);
    await settled();
    expect([one.seqs(), other.seqs()]).toEqual([[1], [3]]);
  });

  it('get what had to wait for the disk, however much it was', async () => {
    const one = follower();
    await settled();
    store.fault = () => FULL;
    for (let n = 0; n < 6000; n++) void recorder.record([event(2 * n), event(2 * n + 1)]);
    await clock.advance(seconds(3));
    expect(one.seen).toEqual([]);
    store.fault = undefined;
    await clock.advance(seconds(2));
    // They are told a hundred at a time, others having their turn between.
    vi.useRealTimers();
    await vi.waitFor(() => expect(one.seqs().length).toBe(12_000), 10_000);
    expect(one.seqs()).toEqual(Array.from({ length: 12_000 }, (_, i) => i + 1));
  });

  it('get on when the journal could not be read for a while, from its first word or later', async () => {
    store.readFault = new Error('the disk is slow');
    const one = follower();
    await settled();
    expect(log.messages('warn')).toEqual(['the journal cannot be followed']);
    store.readFault = undefined;
    await recorder.record([event(1)]);
    await settled();
    store.readFault = new Error('the disk is slow');
    await recorder.record([event(2)]);
    await settled();
    store.readFault = undefined;
    await recorder.record([event(3)]);
    await settled();
    expect(one.seqs()).toEqual([2, 3]);
  });
});
