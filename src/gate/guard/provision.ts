import type { Arming } from '../../core/firewall.js';
import { after, type Clock, type Monotonic, millis } from '../../core/time.js';

/** How long after the kernel has let a provisional guard lapse we look, in milliseconds. */
const LATE_MS = 50;

/** Keeps the time of a provisional guard. The kernel reverts by itself; this only knows when. */
export class Provision {
  readonly #clock: Clock;
  readonly #onLapsed: () => void;
  #until: Monotonic | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, onLapsed: () => void) {
    this.#clock = clock;
    this.#onLapsed = onLapsed;
  }

  /** When the guard lapses; undefined where it is there to stay. */
  get until(): Monotonic | undefined {
    return this.#until;
  }

  set(arming: Arming): void {
    this.clear();
    if (arming.kind === 'permanent') return;
    this.#until = after(this.#clock.monotonic(), arming.remaining);
    this.#timer = setTimeout(this.#onLapsed, arming.remaining + LATE_MS);
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#until = undefined;
  }

  /** What should hold now; undefined where a provisional guard has lapsed. */
  arming(): Arming | undefined {
    if (this.#until === undefined) return { kind: 'permanent' };
    const remaining = Math.floor(this.#until - this.#clock.monotonic());
    return remaining >= 1 ? { kind: 'provisional', remaining: millis(remaining) } : undefined;
  }
}

/** By how much our clock and the kernel's may differ, since they are not read at one moment. */
const TOLERANCE_MS = 3000;

/** Whether the kernel's arming is the wanted one, but for the time that passed while it was read. */
export function sameArming(found: Arming | null, wanted: Arming): boolean {
  if (found?.kind === 'provisional' && wanted.kind === 'provisional') {
    return Math.abs(found.remaining - wanted.remaining) < TOLERANCE_MS;
  }
  return found?.kind === wanted.kind;
}

/** Whether nobody has touched the arming: the kernel may let a provisional guard lapse a moment before we expect it. */
export function isUntouched(found: Arming | null, wanted: Arming): boolean {
  const isNearlyOver = wanted.kind === 'provisional' && wanted.remaining < TOLERANCE_MS;
  return sameArming(found, wanted) || (found === null && isNearlyOver);
}
