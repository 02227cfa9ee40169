import type { GuardRules } from '../core/rules.js';
import type { Guard } from './guard/guard.js';
import type { RuleBook } from './guard/rule-book.js';
import type { Log } from './log.js';

export interface TunnelWatchOptions {
  readonly guard: Pick<Guard, 'mode' | 'adjust'>;
  readonly book: Pick<RuleBook, 'current'>;
  /** The rules as the host's WireGuard interfaces ask for them now; undefined where nothing is to be changed. */
  readonly now: (rules: GuardRules) => Promise<GuardRules | undefined>;
  readonly log: Log;
}

/**
 * Opens the port of a trusted WireGuard interface that comes up later or listens elsewhere, and closes the one where none
 * listens any more. The kernel tells nobody of it, so it is looked at now and then.
 */
export class TunnelWatch {
  readonly #o: TunnelWatchOptions;
  #isLooking = false;
  #hasFailed = false;

  constructor(options: TunnelWatchOptions) {
    this.#o = options;
  }

  /** Never rejects; comes to nothing while the last look goes on. */
  async look(): Promise<void> {
    const { guard, book, now, log } = this.#o;
    if (this.#isLooking || guard.mode !== 'guarding') return;
    this.#isLooking = true;
    try {
      const rules = book.current;
      const wanted = await now(rules);
      if (wanted !== undefined) await guard.adjust(rules, wanted);
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed)
        log.warn({ err: error }, 'the port of a WireGuard interface could not be opened; trying again');
      this.#hasFailed = true;
    } finally {
      this.#isLooking = false;
    }
  }
}
