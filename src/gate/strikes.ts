import { covers, type Target } from '../core/address.js';
import type { KnockSource } from '../core/knock/source.js';
import type { IgnoredSource, StrikeLimit } from '../core/knock/strikes.js';
import type { Store } from '../core/store.js';
import { type Clock, formatDuration, type Instant, type Monotonic, millis } from '../core/time.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

/** So many events a second are recorded in the long run, and so many at once. */
const RATE = 10;
const BURST = 100;
/** After so many milliseconds it is told how many were left out. */
const SUM_UP_MS = 10_000;
/** So many events of an earlier run are looked through. */
const MOST_EVENTS = 10_000;

export interface StrikesOptions {
  /** Null where no source is ever ignored. */
  readonly limit: StrikeLimit | null;
  readonly source: Pick<KnockSource, 'ignored' | 'forgive'>;
  readonly recorder: Recorder;
  readonly store: Pick<Store, 'readJournal'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The sources whose knocks are ignored: puts into the journal who was struck, at a bounded rate, and has them listened to
 * again. Whatever lets an address in by other means than a knock clears its strikes; open grants are never touched.
 */
export class Strikes {
  readonly limit: StrikeLimit | null;
  readonly #o: StrikesOptions;
  #tokens = BURST;
  #filledAt: Monotonic;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StrikesOptions) {
    this.limit = options.limit;
    this.#o = options;
    this.#filledAt = options.clock.monotonic();
  }

  /** Says what there is still to say. */
  stop(): void {
    this.#sumUp();
  }

  /** These sources have just crossed the line. */
  struck(sources: readonly Target[]): void {
    if (this.limit === null) return;
    const { wrong, per, ignoreFor } = this.limit;
    const detail = `${wrong} wrong packets within ${formatDuration(per)}; its knocks are ignored for ${formatDuration(ignoreFor)}`;
    this.#refill();
    for (const address of sources) {
      if (this.#tokens < 1) {
        this.#leftOut++;
        this.#timer ??= setTimeout(() => this.#sumUp(), SUM_UP_MS).unref();
        continue;
      }
      this.#tokens--;
      const at = this.#o.clock.now();
      void this.#o.recorder.tell({ at, event: 'strike.ignored', address, method: 'knock', detail });
      this.#o.log.warn({ address }, `strike.ignored: ${detail}`);
    }
  }

  /** Whose knocks are ignored now. */
  async ignored(): Promise<readonly IgnoredSource[]> {
    return this.limit === null ? [] : await this.#o.source.ignored();
  }

  /** Those of them that lie in a target, or in whose network it lies; none where it cannot be found out. */
  async ignoredIn(target: Target): Promise<IgnoredSource[]> {
    try {
      const all = await this.ignored();
      return all.filter((one) => covers(target, one.target) || covers(one.target, target));
    } catch (error) {
      this.#o.log.warn({ err: error }, 'the ignored sources cannot be read');
      return [];
    }
  }

  /** Listens again to the sources that overlap with a target, and forgets their wrong packets; never rejects. */
  async clear(target: Target): Promise<void> {
    if (this.limit === null) return;
    try {
      await this.#o.source.forgive([target]);
    } catch (error) {
      this.#o.log.warn({ err: error, address: target }, 'the strikes could not be cleared');
    }
  }

  /** What the journal says of ignorings that are not over: they are not told again. */
  async recorded(): Promise<IgnoredSource[]> {
    if (this.limit === null) return [];
    const { ignoreFor } = this.limit;
    const now = this.#o.clock.now();
    const since = (now - ignoreFor) as Instant;
    const events = await this.#o.store.readJournal({ since, event: 'strike.ignored', limit: MOST_EVENTS });
    return events.flatMap(({ address, at }) =>
      address ? [{ target: address, remaining: millis(at + ignoreFor - now) }] : [],
    );
  }

  #refill(): void {
    const now = this.#o.clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * RATE);
    this.#filledAt = now;
  }

  #sumUp(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut === 0) return;
    this.#o.log.warn({ sources: this.#leftOut }, 'more sources are ignored than the journal takes');
    this.#leftOut = 0;
  }
}
