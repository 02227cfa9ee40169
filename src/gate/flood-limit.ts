import type { Clock, Monotonic } from '../core/time.js';

/** So many a second in the long run, and so many at once. */
const RATE = 10;
const BURST = 100;
/** After so many milliseconds it is told how many were left out. */
const SUM_UP_MS = 10_000;

/** Bounds what a flood makes the gate do or write down: ten a second, a hundred at once; the rest is counted. */
export class FloodLimit {
  readonly #clock: Clock;
  readonly #onLeftOut: (count: number) => void;
  #tokens = BURST;
  #filledAt: Monotonic;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onLeftOut told, some seconds later, how many there was no room for */
  constructor(clock: Clock, onLeftOut: (count: number) => void) {
    this.#clock = clock;
    this.#onLeftOut = onLeftOut;
    this.#filledAt = clock.monotonic();
  }

  /** Whether there is room for one more. */
  takes(): boolean {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * RATE);
    this.#filledAt = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#leftOut++;
    this.#timer ??= setTimeout(() => this.stop(), SUM_UP_MS).unref();
    return false;
  }

  /** Says what there is still to say. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut > 0) this.#onLeftOut(this.#leftOut);
    this.#leftOut = 0;
  }
}
