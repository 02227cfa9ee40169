import type { Target } from '../address.js';
import { after, hours, type Monotonic, seconds } from '../time.js';

/*
 * When a grant ends, the host may go on talking to the address (a PBX asks a phone whether it is still there), and what
 * comes back would pass as a reply. So each address that had a grant is held: its UDP replies are not trusted until a day
 * after its last grant ended. So is what an entry let in, once the entry is removed, and who was connected before the guard
 * went up where conntrack may take him for the one who was called. The kernel has to know before the grant ends, since we
 * may be dead by then.
 */

const HOLD = hours(24);
/** Held a little longer than asked, so that renewing a grant need not write this element too each time. */
const SLACK = hours(1);
const SECOND = seconds(1);
/** What was put out longer ago is held no more. */
export const HELD_FOR = hours(26);

/** Which addresses are held, until when. */
export class HeldTargets {
  /** In whole seconds: numbers that small lie in the map itself, others each in a place of its own. */
  readonly #untilSecond = new Map<Target, number>();

  /** Holds a target for a day after its grant ends; the new end where it has to be written, else undefined. */
  hold(target: Target, expires: Monotonic): Monotonic | undefined {
    const known = this.until(target);
    if (known !== undefined && known >= after(expires, HOLD)) return undefined;
    const second = Math.ceil(after(after(expires, HOLD), SLACK) / SECOND);
    this.#untilSecond.set(target, second);
    return fromSecond(second);
  }

  /** Until when a target is held; undefined where it is not. */
  until(target: Target): Monotonic | undefined {
    const second = this.#untilSecond.get(target);
    return second === undefined ? undefined : fromSecond(second);
  }

  *all(): Generator<[Target, Monotonic]> {
    for (const [target, second] of this.#untilSecond) yield [target, fromSecond(second)];
  }

  /** Forgets what is no longer held. */
  prune(now: Monotonic): void {
    for (const [target, second] of this.#untilSecond) if (fromSecond(second) <= now) this.#untilSecond.delete(target);
  }
}

function fromSecond(second: number): Monotonic {
  return (second * SECOND) as Monotonic;
}
