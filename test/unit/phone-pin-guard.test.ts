import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PIN_LIMITS, type PinAttempt, PinGuard } from '../../src/core/phone/pin-guard.ts';
import { hours, millis, minutes, seconds } from '../../src/core/time.ts';
import { FakeClock } from '../support/fake-clock.ts';

function guard(limits = PIN_LIMITS) {
  const clock = new FakeClock();
  const pins = new PinGuard({ clock }, limits);
  let callers = 0;
  /** Each attempt from another caller, where none is named. */
  const begin = (account = '1001', more: Partial<PinAttempt> = {}) =>
    pins.begin({ account, isKnown: true, callerId: `+4930${callers++}`, ...more });
  const fail = (times: number, account = '1001', more: Partial<PinAttempt> = {}) =>
    Array.from({ length: times }, () => begin(account, more).end(false));
  return { clock, pins, begin, fail };
}

describe('an account', () => {
  it('that nobody failed at waits for nothing', () => {
    const trial = guard().begin();
    expect(trial).toMatchObject({ wait: 0, isLocked: false });
    expect(trial.end(true)).toBe('passed');
  });

  it('makes wait twice as long after each failure, to a bound', () => {
    const { begin } = guard();
    const waits = Array.from({ length: 10 }, () => {
      const trial = begin();
      trial.end(false);
      return trial.wait / 1000;
    });
    expect(waits).toEqual([0, 0, 1, 2, 4, 8, 15, 15, 15, 15]);
  });

  it('is locked out with the tenth failure in an hour, which is told once', () => {
    const { fail, begin, clock } = guard();
    expect(fail(9)).toEqual(new Array(9).fill('failed'));
    expect(begin().isLocked).toBe(false);
    clock.advance(minutes(59));
    const tenth = guard();
    expect(tenth.fail(10).at(-1)).toBe('locked');
    expect(tenth.fail(5)).toEqual(new Array(5).fill('failed'));
  });

  it('that is locked out takes no PIN, with the wait of one at which many failed', () => {
    const { fail, begin } = guard();
    fail(10);
    const trial = begin();
    expect(trial).toMatchObject({ isLocked: true, wait: seconds(15) });
    expect(trial.end(true)).toBe('failed');
  });

  it('is free again when the lock is over, which no further tries prolong', () => {
    const { fail, begin, clock } = guard();
    fail(10);
    clock.advance(millis(PIN_LIMITS.lockFor - 1));
    fail(20);
    expect(begin().isLocked).toBe(true);
    clock.advance(millis(1));
    const trial = begin();
    expect(trial.isLocked).toBe(false);
    expect(trial.end(true)).toBe('passed');
    expect(fail(9).includes('locked')).toBe(false);
  });

  it('forgets failures that are an hour old', () => {
    const { fail, begin, clock } = guard();
    fail(9);
    clock.advance(hours(1));
    expect(fail(1)).toEqual(['failed']);
    expect(begin().wait).toBe(0);
  });

  it('is cleared by the right PIN', () => {
    const { fail, begin } = guard();
    fail(9);
    expect(begin().end(true)).toBe('passed');
    expect(begin().wait).toBe(0);
    expect(fail(9).includes('locked')).toBe(false);
  });

  it('does not lift the lock of another by its right PIN', () => {
    const { fail, begin } = guard();
    fail(10);
    expect(begin('1002').end(true)).toBe('passed');
    expect(begin().isLocked).toBe(true);
  });

  it('can be forgiven', () => {
    const { pins, fail, begin } = guard();
    fail(10);
    pins.forgive('1001');
    expect(begin()).toMatchObject({ isLocked: false, wait: 0 });
  });

  it('cannot be told from one that is not there', () => {
    const attempts = fc.array(fc.record({ minutes: fc.nat(30), isRight: fc.constant(false) }), { maxLength: 40 });
    fc.assert(
      fc.property(attempts, (all) => {
        const [known, unknown] = [guard(), guard()];
        for (const one of all) {
          const [a, b] = [known.begin(), unknown.begin('1001', { isKnown: false })];
          expect([b.wait, b.isLocked]).toEqual([a.wait, a.isLocked]);
          expect(b.end(false)).toBe(a.end(one.isRight));
          for (const { clock } of [known, unknown]) clock.advance(minutes(one.minutes));
        }
      }),
    );
  });

  it('is guessed no faster by many calls at once', () => {
    const { begin } = guard();
    const trials = Array.from({ length: 30 }, () => begin());
    expect(trials.filter(({ isLocked }) => !isLocked)).toHaveLength(PIN_LIMITS.failures);
    expect(trials[9]?.wait).toBe(seconds(15));
    // The right one among those that came too late is refused.
    expect(trials[29]?.end(true)).toBe('failed');
    expect(
      trials
        .slice(0, 29)
        .map((trial) => trial.end(false))
        .filter((result) => result === 'locked'),
    ).toHaveLength(1);
  });

  it('counts the end of an attempt once', () => {
    const { begin } = guard();
    const trial = begin();
    for (let times = 0; times < 20; times++) expect(trial.end(false)).toBe('failed');
    expect(trial.end(true)).toBe('failed');
    expect(begin().wait).toBe(0);
  });
});

describe('a caller', () => {
  it('who fails at one account after the other has to wait', () => {
    const { begin } = guard();
    const waits = Array.from({ length: 9 }, (_, n) => {
      const trial = begin(String(n), { callerId: '+4930' });
      trial.end(false);
      return trial.wait / 1000;
    });
    expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 15]);
  });

  it('is not cleared by an account of its own', () => {
    const { begin, fail } = guard();
    for (let n = 0; n < 8; n++) fail(1, String(n), { callerId: '+4930' });
    expect(begin('own', { callerId: '+4930' }).end(true)).toBe('passed');
    expect(begin('1001', { callerId: '+4930' }).wait).toBe(seconds(15));
  });

  it('without a number is counted with all others without one', () => {
    const { begin, fail } = guard();
    for (let n = 0; n < 4; n++) fail(1, String(n), { callerId: null });
    expect(begin('1001', { callerId: null }).wait).toBe(seconds(1));
    expect(begin('1001').wait).toBe(0);
  });

  it('who gets in leaves nothing behind that makes others wait', () => {
    const { begin } = guard();
    for (let times = 0; times < 200; times++) begin('1001', { callerId: '+4930' }).end(true);
    expect(begin('1002', { callerId: '+4930' }).wait).toBe(0);
  });
});

describe('all together', () => {
  it('have to wait where many fail with ever new callers and accounts, but are let in', () => {
    const { begin, fail, clock } = guard();
    for (let n = 0; n < 40; n++) fail(1, String(n), { isKnown: false });
    const trial = begin();
    expect(trial).toMatchObject({ wait: seconds(15), isLocked: false });
    expect(trial.end(true)).toBe('passed');
    clock.advance(hours(1));
    expect(begin().wait).toBe(0);
  });

  it('take a bounded room, and crowd out no account that there is', () => {
    const { pins, begin, fail } = guard({ ...PIN_LIMITS, capacity: 50 });
    fail(9);
    for (let n = 0; n < 5000; n++) fail(1, `9${n}`, { isKnown: false });
    expect(pins.size).toBeLessThanOrEqual(2 * 50 + 1);
    expect(fail(1)).toEqual(['locked']);
    for (let n = 0; n < 5000; n++) fail(1, `8${n}`, { isKnown: false });
    expect(begin().isLocked).toBe(true);
  });

  it('are forgotten when their time is over', () => {
    const { pins, fail, clock } = guard();
    for (let n = 0; n < 500; n++) fail(1, String(n));
    clock.advance(hours(2));
    fail(1);
    expect(pins.size).toBe(2);
  });
});
