import { covers, type Target } from '../core/address.js';
import { START } from '../core/knock/automaton.js';
import type { KnockHandlers } from '../core/knock/source.js';
import { type IgnoredSource, loneSource, strikeTarget } from '../core/knock/strikes.js';
import { after, between, type Clock, type Duration, type Monotonic } from '../core/time.js';
import type { LoggedPacket } from '../netlink/nflog.js';

/** So long after a source was told the set is read, in milliseconds: the rules ring for some sources of a flood only. */
const LOOK_AGAIN_MS = 60_000;

/**
 * The sources that the kernel ignores for their wrong packets. It rings for one that crosses the line, with a mark of
 * START; the set in the kernel has all of them. Each ignoring is told once, also over a restart: two of one source end
 * at least the whole time of one apart, which tells them from each other.
 */
export class KernelStrikes {
  readonly #o: KernelStrikesOptions;
  /** When the ignoring that was told last ends, of each source. */
  readonly #told = new Map<Target, Monotonic>();
  #onStruck: KnockHandlers['onStruck'] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<readonly IgnoredSource[]> | undefined;
  #hasProblem = false;

  constructor(options: KernelStrikesOptions) {
    this.#o = options;
  }

  async start(onStruck: KnockHandlers['onStruck']): Promise<void> {
    const before = await this.#o.toldBefore().catch((): readonly IgnoredSource[] => []);
    this.#news(before);
    this.#onStruck = onStruck;
    await this.collect();
  }

  stop(): void {
    this.#onStruck = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Packets that rang; those that completed a sequence are passed over. */
  ring(packets: readonly LoggedPacket[]): void {
    const crossing = packets.filter(({ mark }) => mark === START);
    if (crossing.length === 0 || this.#onStruck === undefined) return;
    this.#tell(crossing.map(({ source }) => ({ target: strikeTarget(source), remaining: this.#o.ignoreFor })));
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.collect();
    }, LOOK_AGAIN_MS).unref();
  }

  /** Tells of those in the set that were not told yet; never rejects. */
  async collect(): Promise<void> {
    try {
      this.#tell(await this.ignored());
      this.#hasProblem = false;
    } catch (error) {
      if (!this.#hasProblem) this.#o.onProblem(error);
      this.#hasProblem = true;
    }
  }

  /** Calls that come while the set is read share the reading. */
  ignored(): Promise<readonly IgnoredSource[]> {
    this.#reading ??= this.#o.read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async forgive(targets: readonly Target[]): Promise<void> {
    const isOverlapped = (source: Target) => targets.some((one) => covers(one, source) || covers(source, one));
    const sources = new Set(targets.flatMap((target) => loneSource(target) ?? []));
    if (targets.some((target) => loneSource(target) === undefined)) {
      for (const { target } of await this.ignored()) if (isOverlapped(target)) sources.add(target);
    }
    await this.#o.forgive([...sources]);
    for (const source of sources) this.#told.delete(source);
  }

  #tell(ignored: readonly IgnoredSource[]): void {
    if (this.#onStruck === undefined) return;
    const news = this.#news(ignored);
    if (news.length > 0) this.#onStruck(news);
  }

  /** The sources whose ignoring was not told yet; from now on it was. */
  #news(ignored: readonly IgnoredSource[]): Target[] {
    const now = this.#o.clock.monotonic();
    for (const [source, until] of this.#told) if (until <= now) this.#told.delete(source);
    const news: Target[] = [];
    for (const { target, remaining } of ignored) {
      const until = after(now, remaining);
      const known = this.#told.get(target);
      if (known !== undefined && between(known, until) < this.#o.ignoreFor / 2) continue;
      this.#told.set(target, until);
      news.push(target);
    }
    return news;
  }
}

export interface KernelStrikesOptions {
  readonly clock: Clock;
  readonly ignoreFor: Duration;
  readonly read: () => Promise<readonly IgnoredSource[]>;
  readonly forgive: (sources: readonly Target[]) => Promise<void>;
  /** Those that an earlier run has told of, and what is left of their time. */
  readonly toldBefore: () => Promise<readonly IgnoredSource[]>;
  readonly onProblem: (error: unknown) => void;
}
