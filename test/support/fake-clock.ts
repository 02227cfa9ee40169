import { vi } from 'vitest';
import type { Clock, Duration, Instant, Monotonic } from '../../src/core/time.ts';

/** 2026-03-01T08:00:00Z */
export const EIGHT = 1_772_352_000_000 as Instant;

/** Both clocks, which stand still until they are turned. */
export class FakeClock implements Clock {
  #now: number;
  #monotonic: number;

  constructor(start: { now?: number; monotonic?: number } = {}) {
    this.#now = start.now ?? EIGHT;
    this.#monotonic = start.monotonic ?? 1_000_000;
  }

  now(): Instant {
    return this.#now as Instant;
  }

  monotonic(): Monotonic {
    return this.#monotonic as Monotonic;
  }

  /** Time passes. */
  advance(time: Duration): void {
    this.#now += time;
    this.#monotonic += time;
  }

  /** Somebody sets the wall clock: forward, or back where `by` is negative. */
  setWall(by: Duration): void {
    this.#now += by;
  }
}

/** The clocks that go with vitest's fake timers, so that a timer fires when the clock says so. */
export class TimerClock implements Clock {
  now(): Instant {
    return Date.now() as Instant;
  }

  monotonic(): Monotonic {
    return performance.now() as Monotonic;
  }

  /** Time passes, and timers fire in it. */
  async advance(time: Duration): Promise<void> {
    await vi.advanceTimersByTimeAsync(time);
  }

  setWall(by: Duration): void {
    vi.setSystemTime(Date.now() + by);
  }
}

/** Stops time for a test; give it back with `vi.useRealTimers()`. */
export function stopTime(): TimerClock {
  vi.useFakeTimers({ now: EIGHT });
  return new TimerClock();
}
