import type { Target } from '../core/address.js';
import { formatDeparted, parseDeparted } from '../core/grants/departed.js';
import { HELD_FOR } from '../core/grants/held.js';
import type { Change } from '../core/store.js';
import type { Clock, Instant } from '../core/time.js';

/** What was let in without an end and is no more: remembered for as long as it has to be held. */
export class Departures {
  readonly #clock: Clock;
  /** When each left, and the same in words: there may be as many as there were entries, and numbers are slow to write. */
  readonly #departed = new Map<Target, { readonly at: Instant; readonly text: string }>();

  /** @param kept as an earlier run left it */
  constructor(clock: Clock, kept: string | undefined) {
    this.#clock = clock;
    for (const { target, at } of parseDeparted(kept)) this.#put(target, at);
  }

  /** Adds these, as of now; what to keep. */
  add(targets: readonly Target[]): Change {
    const now = this.#clock.now();
    for (const [target, { at }] of this.#departed) if (at <= now - HELD_FOR) this.#departed.delete(target);
    for (const target of targets) this.#put(target, now);
    const value = Array.from(this.#departed.values(), ({ text }) => text).join(' ');
    return { kind: 'meta', key: 'departed', value };
  }

  #put(target: Target, at: Instant): void {
    this.#departed.set(target, { at, text: formatDeparted([{ target, at }]) });
  }
}
