import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';

/** A length of time in milliseconds. */
export type Duration = Brand<number, 'Duration'>;

/** A moment on the wall clock: milliseconds since 1970-01-01 UTC. It may be set back or forward under us. */
export type Instant = Brand<number, 'Instant'>;

/** A moment on a clock that only goes forward (milliseconds since some start). Every deadline is one of these. */
export type Monotonic = Brand<number, 'Monotonic'>;

/** The two clocks that the domain reads; handed in, so that a test can turn them. */
export interface Clock {
  /** The wall clock: for people and records. */
  now(): Instant;
  /** The monotonic clock: for deadlines. */
  monotonic(): Monotonic;
}

export const millis = (n: number): Duration => n as Duration;
export const seconds = (n: number): Duration => millis(n * 1000);
export const minutes = (n: number): Duration => millis(n * 60_000);
export const hours = (n: number): Duration => millis(n * 3_600_000);
export const days = (n: number): Duration => millis(n * 86_400_000);

/** `to - from`; negative where `to` is earlier. */
export function between(from: Monotonic, to: Monotonic): Duration {
  return millis(to - from);
}

export function after(moment: Monotonic, wait: Duration): Monotonic {
  return (moment + wait) as Monotonic;
}

/** The wall-clock time of a monotonic deadline, as the clocks stand now. */
export function wallTime(clock: Clock, deadline: Monotonic): Instant {
  return (clock.now() + (deadline - clock.monotonic())) as Instant;
}

/** ISO 8601 in UTC with milliseconds, as every time that leaves the program is written. */
export function toIso(instant: Instant): string {
  const day = Math.floor(instant / 86_400_000);
  const ms = Math.floor(instant - day * 86_400_000);
  const [year, month, date] = civilFromDays(day);
  const pad = (n: number, width = 2) => String(n).padStart(width, '0');
  const time = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60]
    .map((n) => pad(n))
    .join(':');
  return `${pad(year, 4)}-${pad(month)}-${pad(date)}T${time}.${pad(ms % 1000, 3)}Z`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST = 3650 * 86_400_000;

/**
 * Reads `90s`, `15m`, `8h`, `2d`, `1h30m`. Whole numbers with a unit, at least 1 ms, at most ten years.
 * @throws SP_DURATION_INVALID
 */
export function parseDuration(text: string): Duration {
  let total = 0;
  if (/^(\d{1,10}(ms|s|m|h|d))+$/.test(text)) {
    for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g))
      total += Number(count) * (UNITS[unit ?? ''] ?? Number.NaN);
  }
  if (!(total >= 1 && total <= LONGEST)) throw new SallyportError('SP_DURATION_INVALID', { value: text });
  return millis(total);
}

/** A text that `parseDuration` reads back to the same value, the largest units first: `1h30m`; 90 s are `1m30s`. */
export function formatDuration(duration: Duration): string {
  let rest = Math.max(0, Math.round(duration));
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNITS[unit] ?? 1;
    if (rest >= size) {
      text += `${Math.floor(rest / size)}${unit}`;
      rest %= size;
    }
  }
  return text;
}

/** For people: the two largest units, rounded up to a second: `59m 12s`, `2h`, `45s`. */
export function humanDuration(duration: Duration): string {
  const whole = Math.max(0, Math.ceil(duration / 1000));
  const parts: string[] = [];
  let rest = whole;
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.length > 0 ? parts.join(' ') : '0s';
}

/** Days since 1970-01-01 to year, month, day in the proleptic Gregorian calendar (Hinnant's civil_from_days). */
function civilFromDays(days: number): [number, number, number] {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365);
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return [yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - Math.floor((153 * mp + 2) / 5) + 1];
}
