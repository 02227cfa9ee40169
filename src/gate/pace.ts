import { setImmediate } from 'node:timers/promises';
import { Pace } from '../core/pace.js';
import type { Clock } from '../core/time.js';

/** For long work on the event loop: others have their turn every few milliseconds. */
export function newPace(clock: Clock): Pace {
  return new Pace(() => clock.monotonic(), setImmediate);
}
