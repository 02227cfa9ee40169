import type { Log } from './gate/log.js';

type Stop = () => Promise<void> | void;

/** What was started, to be stopped in the reverse order. */
export class Teardown {
  readonly #stops: Stop[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Has `stop` called before what was added earlier. */
  add(stop: Stop): void {
    this.#stops.push(stop);
  }

  /** Calls `act` every `ms` milliseconds until it is torn down. */
  every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms);
    timer.unref();
    this.add(() => clearInterval(timer));
  }

  /** Stops everything, once; never rejects. */
  async run(): Promise<void> {
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ err: error }, 'a part did not stop as it should');
      }
    }
  }
}
