import type { Target } from '../core/address.js';
import { type Departed, formatDeparted, parseDeparted } from '../core/grants/departed.js';
import { HELD_FOR } from '../core/grants/held.js';
import type { Change } from '../core/store.js';
import type { Clock } from '../core/time.js';

/** What was let in without an end and is no more: remembered for as long as it has to be held. */
export class Departures {
  readonly #clock: Clock;
  #departed: Departed[];

  /** @param kept as an earlier run left it */
  constructor(clock: Clock, kept: string | undefined) {
    this.#clock = clock;
    this.#departed = parseDeparted(kept);
  }

  /** Adds these, as of now; what to keep. */
  add(targets: readonly Target[]): Change {
    const now = this.#clock.now();
    const recent = this.#departed.filter((one) => !targets.includes(one.target) && one.at > now - HELD_FOR);
    this.#departed = [...recent, ...targets.map((target) => ({ target, at: now }))];
    return { kind: 'meta', key: 'departed', value: formatDeparted(this.#departed) };
  }
}
