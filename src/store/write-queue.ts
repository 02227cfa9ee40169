import { SallyportError } from '../core/errors.js';
import type { Change } from '../core/store.js';
import { type Fault, toError } from './faults.js';

interface Call {
  /** The changes as JSON: see protocol.ts. */
  readonly json: string;
  resolve(): void;
  reject(error: unknown): void;
}

/** What one commit may hold, in characters of JSON: some ten thousand changes, a tenth of a second. */
const LARGEST_COMMIT = 4_000_000;

/**
 * Group commit: one commit runs at a time, and every call that arrives meanwhile goes into the next. Calls are committed,
 * and answered, in the order in which they were made.
 */
export class WriteQueue {
  readonly #commit: (calls: readonly string[]) => Promise<ReadonlyMap<number, Fault>>;
  #waiting: Call[] = [];
  #running: Promise<void> | undefined;

  constructor(commit: (calls: readonly string[]) => Promise<ReadonlyMap<number, Fault>>) {
    this.#commit = commit;
  }

  /** Resolves when the changes are on the disk. */
  add(changes: readonly Change[]): Promise<void> {
    const json = toJson(changes);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ json, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Calls of the same turn of the event loop share the first commit.
    await null;
    while (this.#waiting.length > 0) {
      const calls = this.#take();
      try {
        const refused = await this.#commit(calls.map((call) => call.json));
        for (const [index, call] of calls.entries()) {
          const fault = refused.get(index);
          if (fault) call.reject(toError(fault));
          else call.resolve();
        }
      } catch (error) {
        for (const call of calls) call.reject(error);
      }
    }
    this.#running = undefined;
  }

  #take(): Call[] {
    let size = 0;
    const more = this.#waiting.findIndex((call, index) => {
      size += call.json.length;
      return index > 0 && size > LARGEST_COMMIT;
    });
    return this.#waiting.splice(0, more < 0 ? this.#waiting.length : more);
  }
}

/** @throws SP_STORE_REFUSED for what JSON cannot hold */
function toJson(changes: readonly Change[]): string {
  try {
    return JSON.stringify(changes);
  } catch (error) {
    throw new SallyportError('SP_STORE_REFUSED', { problem: 'it holds what cannot be written' }, error);
  }
}
