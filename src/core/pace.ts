/** For so many milliseconds at most does a long piece of work go on without a rest. */
const SLICE = 4;

/**
 * Divides long work on an event loop, so that nobody else waits long: the work asks after each small step whether a rest
 * is due, and takes it. Between two rests nothing else runs.
 */
export class Pace {
  readonly #now: () => number;
  readonly #pause: () => Promise<unknown>;
  #since: number;

  /**
   * @param now milliseconds on a clock that only goes forward
   * @param pause resolves when all others had their turn
   */
  constructor(now: () => number, pause: () => Promise<unknown>) {
    this.#now = now;
    this.#pause = pause;
    this.#since = now();
  }

  get isDue(): boolean {
    return this.#now() - this.#since > SLICE;
  }

  async rest(): Promise<void> {
    await this.#pause();
    this.#since = this.#now();
  }
}
