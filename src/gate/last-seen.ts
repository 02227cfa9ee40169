import { type Address, familyOf, isAddress, networkTarget, prefixLength, type Target } from '../core/address.js';
import type { Firewall } from '../core/firewall.js';
import { type Clock, type Monotonic, toIso, wallTime } from '../core/time.js';
import type { Log } from './log.js';
import { newPace } from './pace.js';

/** When the targets that are let in were last seen to make use of it. */
export class LastSeen {
  readonly #clock: Clock;
  /** Under each target that covers somebody who was seen, the latest. */
  readonly #seen: ReadonlyMap<Target, Monotonic>;

  private constructor(clock: Clock, seen: ReadonlyMap<Target, Monotonic>) {
    this.#clock = clock;
    this.#seen = seen;
  }

  /**
   * Asks the kernel; nobody was seen where it cannot be asked.
   * @param targets what will be asked for
   */
  static async read(
    { firewall, clock, log }: { firewall: Firewall; clock: Clock; log: Log },
    targets: Iterable<Target>,
  ): Promise<LastSeen> {
    const found = await firewall.readSeen().catch((error): ReadonlyMap<Address, Monotonic> => {
      log.warn({ err: error }, 'it cannot be read who was seen');
      return new Map();
    });
    const seen = new Map<Target, Monotonic>(found);
    const pace = newPace(clock);
    const lengths = { 4: new Set<number>(), 6: new Set<number>() };
    for (const target of targets) {
      if (!isAddress(target)) lengths[familyOf(target)].add(prefixLength(target));
      if (pace.isDue) await pace.rest();
    }
    for (const [address, at] of found) {
      for (const length of lengths[familyOf(address)]) {
        const network = networkTarget(address, length);
        if (at > (seen.get(network) ?? Number.NEGATIVE_INFINITY)) seen.set(network, at);
      }
      if (pace.isDue) await pace.rest();
    }
    return new LastSeen(clock, seen);
  }

  /** The latest, in ISO 8601; null where none of them was seen since the rules were loaded, or not for long. */
  of(...targets: readonly Target[]): string | null {
    const times = targets.flatMap((target) => this.#seen.get(target) ?? []);
    if (times.length === 0) return null;
    return toIso(wallTime(this.#clock, Math.max(...times) as Monotonic));
  }
}
