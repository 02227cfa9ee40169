import { type Address, coveringTargets, covers, familyOf, isAddress, network64, type Target } from '../core/address.js';
import type { KnockSource } from '../core/knock/source.js';
import type { IgnoredSource, StrikeLimit } from '../core/knock/strikes.js';
import type { Store } from '../core/store.js';
import { type Clock, formatDuration, type Instant, millis } from '../core/time.js';
import { FloodLimit } from './flood-limit.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

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
  readonly #flood: FloodLimit;

  constructor(options: StrikesOptions) {
    this.limit = options.limit;
    this.#o = options;
    this.#flood = new FloodLimit(options.clock, (sources) =>
      options.log.warn({ sources }, 'more sources are ignored than the journal takes'),
    );
  }

  /** Says what there is still to say. */
  stop(): void {
    this.#flood.stop();
  }

  /** These sources have just crossed the line. */
  struck(sources: readonly Target[]): void {
    if (this.limit === null) return;
    const { wrong, per, ignoreFor } = this.limit;
    const detail = `${wrong} wrong packets within ${formatDuration(per)}; its knocks are ignored for ${formatDuration(ignoreFor)}`;
    for (const address of sources) {
      if (!this.#flood.takes()) continue;
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

  /** The same for many targets: whoever is ignored among them is listened to again. Never rejects. */
  async clearMany(targets: readonly Target[]): Promise<void> {
    try {
      const ignored = await this.ignored();
      if (ignored.length === 0) return;
      const networks = targets
        .filter((one) => isAddress(one) && familyOf(one) === 6)
        .map((one) => network64(one as Address));
      const known = new Set<Target>([...targets, ...networks]);
      const isMeant = ({ target }: IgnoredSource) =>
        known.has(target) || (isAddress(target) && coveringTargets(target).some((one) => known.has(one)));
      await this.#o.source.forgive(ignored.filter(isMeant).map(({ target }) => target));
    } catch (error) {
      this.#o.log.warn({ err: error }, 'the strikes could not be cleared');
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
}
