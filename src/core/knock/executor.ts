import type { Address } from '../address.js';
import type { Knock } from '../sequence.js';
import { after, type Clock, type Duration, type Monotonic } from '../time.js';
import { completedSequence, START, type State, type Steps, stepKey } from './automaton.js';

/**
 * Runs the automaton packet by packet, as the kernel's rules do (firewall/ruleset): the expected next knock advances, a
 * repeat of one already accepted is ignored, anything else resets and may itself be the first of a sequence. `window` is
 * the longest time between two packets. At most `capacity` sources are remembered, the latest.
 */
export class KnockExecutor {
  readonly #clock: Clock;
  readonly #window: Duration;
  readonly #sources = new Map<Address, { state: State; until: Monotonic }>();
  readonly #capacity: number;
  #steps: Steps;

  constructor(options: { clock: Clock; window: Duration; steps: Steps; capacity?: number }) {
    this.#clock = options.clock;
    this.#window = options.window;
    this.#capacity = options.capacity ?? 1_200_000;
    this.#steps = options.steps;
  }

  /** Takes another automaton; what sources have reached so far stays where the states still exist. */
  replace(steps: Steps): void {
    this.#steps = steps;
  }

  /** Takes one packet to the pool; tells the id of the sequence that it completes, if it completes one. */
  packet(source: Address, knock: Knock): number | undefined {
    const now = this.#clock.monotonic();
    const known = this.#sources.get(source);
    const state = known !== undefined && known.until > now ? known.state : START;
    const next = this.#steps.get(stepKey(state, knock)) ?? this.#steps.get(stepKey(START, knock));
    this.#sources.delete(source);
    if (next === undefined) return undefined;
    const completed = completedSequence(next);
    if (completed === undefined) {
      this.#makeRoom(now);
      this.#sources.set(source, { state: next, until: after(now, this.#window) });
    }
    return completed;
  }

  /** A source is put last whenever it is touched, so the first ones are the oldest. */
  #makeRoom(now: Monotonic): void {
    for (const [source, { until }] of this.#sources) {
      if (until > now && this.#sources.size < this.#capacity) break;
      this.#sources.delete(source);
    }
  }

  /** How many sources are on their way. */
  get size(): number {
    return this.#sources.size;
  }
}
