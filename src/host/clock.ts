import type { Clock, Instant, Monotonic } from '../core/time.js';

/**
 * The clocks of this machine. The monotonic one is CLOCK_MONOTONIC, in milliseconds with a fraction since the machine
 * started. Like the timeouts of the kernel's sets it stands still while the machine sleeps.
 */
export class SystemClock implements Clock {
  now(): Instant {
    return Date.now() as Instant;
  }

  monotonic(): Monotonic {
    return (Number(process.hrtime.bigint()) / 1e6) as Monotonic;
  }
}
