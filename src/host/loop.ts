import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { type Duration, millis } from '../core/time.js';

/** How often the event loop is felt for, in milliseconds: what is shorter goes unnoticed. */
const RESOLUTION_MS = 10;
/** For so long is the longest kept, or up to twice as long, in milliseconds. */
const WINDOW_MS = 30_000;

/** How long the event loop was held, in the last half minute to minute. */
export class LoopWatch {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #before = millis(0);
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#delays.enable();
    this.#timer = setInterval(() => {
      this.#before = this.#current();
      this.#delays.reset();
    }, WINDOW_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#delays.disable();
  }

  /** The longest that anybody had to wait for his turn; up to 10 ms too short. */
  get longest(): Duration {
    return millis(Math.max(this.#before, this.#current()));
  }

  /** The histogram has the time between two looks, which are `RESOLUTION_MS` apart where nothing holds them up. */
  #current(): Duration {
    return millis(Math.max(0, this.#delays.max / 1e6 - RESOLUTION_MS));
  }
}
