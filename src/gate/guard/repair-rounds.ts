/** After how long a repair that failed is tried again. */
const RETRY_MS = 1000;

/** Who changed something in our table, as far as the kernel tells. */
export interface Culprit {
  readonly pid: number | null;
  readonly program: string | null;
}

/**
 * Repairs one after the other: calls that come while one is under way share the next, and one that fails is tried again
 * soon.
 */
export class RepairRounds {
  readonly #repair: (culprits: readonly Culprit[]) => Promise<void>;
  readonly #onFailed: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #waiting: (Culprit | null)[] = [];
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(repair: (culprits: readonly Culprit[]) => Promise<void>, onFailed: (error: unknown) => void) {
    this.#repair = repair;
    this.#onFailed = onFailed;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** @param culprit null where nobody is known to have changed anything */
  add(culprit: Culprit | null): Promise<void> {
    this.#waiting.push(culprit);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Looks again soon, once, however often it is asked for. */
  retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.add(null), RETRY_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#retryTimer);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const culprits = this.#waiting;
      this.#waiting = [];
      try {
        await this.#repair(culprits.filter((one) => one !== null));
      } catch (error) {
        this.#waiting = [];
        this.#onFailed(error);
        this.retry();
      }
    }
  }
}

/** `nft (process 4711) and bash (process 42)`. */
export function nameCulprits(culprits: readonly Culprit[]): string {
  const names = culprits.map(({ pid, program }) =>
    program === null ? 'an unknown program' : `${program} (process ${pid})`,
  );
  return [...new Set(names)].slice(0, 3).join(' and ') || 'an unknown program';
}
