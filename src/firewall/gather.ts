import { setImmediate } from 'node:timers/promises';
import type { Completion, ElementChange, ElementPlace, SetElement } from '../core/firewall.js';

/** More than this at once is written in several transactions, so that nobody waits long for the kernel. */
const LARGEST = 1000;

type Pending = { element: SetElement } | { absent: ElementPlace };

/** Runs a task when all that were given before it are done. */
export type Serialize = (task: () => Promise<void>) => Promise<void>;

/**
 * Gathers changes of elements until their turn comes, that is while another transaction is under way. The latest word on
 * an element counts.
 */
export class Gatherer {
  readonly #serialize: Serialize;
  readonly #write: (change: ElementChange) => Promise<void>;
  #pending = new Map<string, Pending>();
  /** Once each: a knock that rang twice, on two processors at once, can be taken out of the mailbox only once. */
  #answered = new Map<string, Completion>();
  #turn: Promise<void> | undefined;

  constructor(serialize: Serialize, write: (change: ElementChange) => Promise<void>) {
    this.#serialize = serialize;
    this.#write = write;
  }

  /** Resolves when the change is in the kernel; rejects, for all who share it, where the transaction failed. */
  add({ present, absent, answered }: ElementChange): Promise<void> {
    for (const element of present) this.#pending.set(`${element.scope} ${element.target}`, { element });
    for (const one of absent) this.#pending.set(`${one.scope} ${one.target}`, { absent: one });
    for (const one of answered) this.#answered.set(`${one.state} ${one.source}`, one);
    this.#turn ??= this.#serialize(() => this.#flush());
    return this.#turn;
  }

  async #flush(): Promise<void> {
    const pending = [...this.#pending.values()];
    const answered = [...this.#answered.values()];
    this.#pending = new Map();
    this.#answered = new Map();
    this.#turn = undefined;
    const longest = Math.max(pending.length, answered.length);
    for (let start = 0; start < longest; start += LARGEST) {
      const piece = pending.slice(start, start + LARGEST);
      if (start > 0) await setImmediate();
      await this.#write({
        present: piece.flatMap((one) => ('element' in one ? [one.element] : [])),
        absent: piece.flatMap((one) => ('absent' in one ? [one.absent] : [])),
        answered: answered.slice(start, start + LARGEST),
      });
    }
  }
}
