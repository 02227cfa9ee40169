import { type ScheduledTask, schedule } from 'node-cron';
import type { HostName } from '../core/names/host-name.js';
import type { Clock, Monotonic } from '../core/time.js';

/** So many names are looked up at the same time. */
const AT_ONCE = 8;
const LONGEST_TIMER = 2 ** 31 - 1;

export interface NameRoundsOptions {
  readonly clock: Clock;
  /** When all names are looked up, whatever their TTL: a cron expression. */
  readonly schedule: string;
  /** The names that are tracked, and when each is due. */
  readonly names: () => Iterable<{ readonly name: HostName; readonly due: Monotonic }>;
  /** Never rejects; afterwards the name is due later. */
  readonly lookUp: (name: HostName) => Promise<void>;
}

/** Looks names up when they are due, a few at a time, and all of them by a schedule. */
export class NameRounds {
  readonly #o: NameRoundsOptions;
  readonly #waiting = new Set<HostName>();
  readonly #underWay = new Map<HostName, Promise<void>>();
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #cron: ScheduledTask | undefined;

  constructor(options: NameRoundsOptions) {
    this.#o = options;
  }

  start(): void {
    this.#isRunning = true;
    this.#cron = schedule(this.#o.schedule, () => this.lookAtAll(), { suppressMissedWarning: true });
    this.plan();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#waiting.clear();
    await this.#cron?.destroy();
  }

  /** Looks all names up, those first that have waited longest. */
  lookAtAll(): void {
    for (const { name } of this.#o.names()) this.#waiting.add(name);
    this.#go();
  }

  /** Looks a name up now, whatever else waits; resolves when it is known what came of it. */
  async lookNow(name: HostName): Promise<void> {
    this.#waiting.delete(name);
    await (this.#underWay.get(name) ?? this.#lookUp(name));
  }

  /** Sets the timer for the name that is due next. To be called whenever names come. */
  plan(): void {
    clearTimeout(this.#timer);
    if (!this.#isRunning) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { name, due } of this.#o.names()) {
      if (!this.#waiting.has(name) && !this.#underWay.has(name)) next = Math.min(next, due);
    }
    if (next === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.ceil(next - this.#o.clock.monotonic()));
    this.#timer = setTimeout(() => this.#lookAtDue(), Math.min(wait, LONGEST_TIMER)).unref();
  }

  #lookAtDue(): void {
    const now = this.#o.clock.monotonic();
    for (const { name, due } of this.#o.names()) if (due <= now) this.#waiting.add(name);
    this.#go();
    this.plan();
  }

  #go(): void {
    for (const name of this.#waiting) {
      if (this.#underWay.size >= AT_ONCE) return;
      this.#waiting.delete(name);
      if (!this.#underWay.has(name)) void this.#lookUp(name);
    }
  }

  #lookUp(name: HostName): Promise<void> {
    const work = this.#o.lookUp(name).finally(() => {
      this.#underWay.delete(name);
      if (!this.#isRunning) return;
      this.#go();
      this.plan();
    });
    this.#underWay.set(name, work);
    return work;
  }
}
