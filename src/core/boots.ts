import { type Duration, type Instant, millis, minutes } from './time.js';

/** A start of the machine. */
export interface Boot {
  /** The kernel's boot id. */
  readonly id: string;
  /** When, by the wall clock, which may be wrong this early. */
  readonly at: Instant;
}

/** The start that we run in. */
export interface ThisBoot extends Boot {
  /** How long the machine runs already. */
  readonly uptime: Duration;
}

/** So many starts within this time look like somebody who is locked out and has nothing but the reset button. */
export const RESCUE_BOOTS = 3;
export const RESCUE_WITHIN: Duration = minutes(10);
/** For so long after the last of them nothing is guarded. */
const RESCUE_WAIT: Duration = minutes(5);

/**
 * The starts to remember, the latest last: none where the machine has run for long, since neither this start nor those before
 * can be one of many within a short time then. That goes by the kernel's own count of time: it bounds what a wall clock that
 * stands still from start to start can do.
 */
export function noteBoot(boots: readonly Boot[], { id, at, uptime }: ThisBoot): readonly Boot[] {
  if (uptime >= RESCUE_WITHIN) return [];
  if (boots.some((boot) => boot.id === id)) return boots;
  return [...boots, { id, at }].slice(-RESCUE_BOOTS);
}

/**
 * For how long the guard should wait still; undefined where it need not. Where the wall clock was set by much in either
 * direction between the starts it need not: in doubt it is closed.
 * @param boots what `noteBoot` made of them
 */
export function rescueWait(boots: readonly Boot[], { id, uptime }: ThisBoot): Duration | undefined {
  const latest = boots.slice(-RESCUE_BOOTS);
  if (latest.length < RESCUE_BOOTS || latest.at(-1)?.id !== id) return undefined;
  const times = latest.map(({ at }) => at);
  if (Math.max(...times) - Math.min(...times) > RESCUE_WITHIN) return undefined;
  const left = RESCUE_WAIT - uptime;
  return left >= 1 ? millis(left) : undefined;
}
