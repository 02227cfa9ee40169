import type { Address, Target } from '../address.js';
import type { Knock } from '../sequence.js';
import { after, type Clock, type Duration, type Monotonic } from '../time.js';
import { completedSequence, START, type State, type Steps, stepKey } from './automaton.js';
import { type IgnoredSource, type StrikeLimit, Strikes } from './strikes.js';

/** What one packet brought about, where it brought about anything. */
export type KnockVerdict =
  /** It was the last of a sequence. */
  | { readonly kind: 'completed'; readonly sequenceId: number }
  /** It was one wrong packet too many: the source is ignored from now on. */
  | { readonly kind: 'struck'; readonly source: Target };

/**
 * Runs the automaton packet by packet, as the kernel's rules do (firewall/ruleset): the expected next knock advances, a
 * repeat of one already accepted is ignored, anything else resets and may itself be the first of a sequence. `window` is
 * the longest time between two packets. Whoever sends too many wrong packets is ignored for a while (strikes.ts). At most
 * `capacity` sources are remembered, the latest.
 */
export class KnockExecutor {
  readonly #clock: Clock;
  readonly #window: Duration;
  readonly #sources = new Map<Address, { state: State; until: Monotonic }>();
  readonly #capacity: number;
  readonly #strikes: Strikes | null;
  #steps: Steps;

  /**
   * @param options.steps may be changed in place: each packet is held to what they are then
   * @param options.strikes null, or left out, where nobody is ever ignored
   * @param options.struckCapacity the most sources whose wrong packets are counted, and the most that are ignored
   */
  constructor(options: {
    clock: Clock;
    window: Duration;
    steps: Steps;
    capacity?: number;
    strikes?: StrikeLimit | null;
    struckCapacity?: number;
  }) {
    const { strikes = null } = options;
    this.#clock = options.clock;
    this.#window = options.window;
    this.#capacity = options.capacity ?? 1_200_000;
    this.#strikes = strikes === null ? null : new Strikes(strikes, options.struckCapacity);
    this.#steps = options.steps;
  }

  /** Takes another automaton; what sources have reached so far stays where the states still exist. */
  replace(steps: Steps): void {
    this.#steps = steps;
  }

  /** Takes one packet to the pool; undefined where nothing comes of it. */
  packet(source: Address, knock: Knock): KnockVerdict | undefined {
    const now = this.#clock.monotonic();
    if (this.#strikes?.isIgnored(source, now) === true) return undefined;
    const known = this.#sources.get(source);
    const state = known !== undefined && known.until > now ? known.state : START;
    if (known !== undefined) this.#sources.delete(source);
    let next = this.#steps.get(stepKey(state, knock));
    if (next === undefined) {
      const struck = this.#strikes?.wrong(source, now);
      if (struck !== undefined) return { kind: 'struck', source: struck };
      if (state !== START) next = this.#steps.get(stepKey(START, knock));
    }
    if (next === undefined) return undefined;
    const sequenceId = completedSequence(next);
    if (sequenceId !== undefined) return { kind: 'completed', sequenceId };
    this.#makeRoom(now);
    this.#sources.set(source, { state: next, until: after(now, this.#window) });
    return undefined;
  }

  /** The sources that are ignored now, and for how long. */
  ignored(): IgnoredSource[] {
    return this.#strikes?.list(this.#clock.monotonic()) ?? [];
  }

  /** Listens to sources again that lie in one of the targets, or in whose network one of them lies. */
  forgive(targets: readonly Target[]): void {
    this.#strikes?.forgive(targets);
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
