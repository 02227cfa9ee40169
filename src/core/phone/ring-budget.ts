import { after, type Clock, hours, type Monotonic } from '../time.js';

/** A user is rung so often within an hour, at most. */
const RINGS = 6;
const PER = hours(1);

/** How often each user may still be rung: a stolen knock must not let a telephone ring all night, nor run up a bill. */
export class RingBudget {
  readonly #clock: Clock;
  /** Until when each ring counts, by user, in order. */
  readonly #rings = new Map<number, Monotonic[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Spends a ring of a user; false where there is none left. */
  spend(userId: number): boolean {
    const rings = this.#live(userId);
    if (rings.length >= RINGS) return false;
    this.#rings.set(userId, [...rings, after(this.#clock.monotonic(), PER)]);
    return true;
  }

  /** Leaves the user in peace for an hour. */
  exhaust(userId: number): void {
    this.#rings.set(userId, new Array<Monotonic>(RINGS).fill(after(this.#clock.monotonic(), PER)));
  }

  #live(userId: number): Monotonic[] {
    const now = this.#clock.monotonic();
    const rings = (this.#rings.get(userId) ?? []).filter((until) => until > now);
    if (rings.length === 0) this.#rings.delete(userId);
    return rings;
  }
}
