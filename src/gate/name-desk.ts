import type { Address, Target } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { HostName } from '../core/names/host-name.js';
import type { NameResolver } from '../core/names/lookup.js';
import {
  entriesOfNames,
  MOST_NAMES,
  type NamedTarget,
  type NameEntry,
  type ResolvedName,
} from '../core/names/name-entry.js';
import { type NameNews, type NameRules, NameTracker } from '../core/names/tracker.js';
import type { Change, StoredState } from '../core/store.js';
import { type Clock, hours } from '../core/time.js';
import type { Departures } from './departures.js';
import type { Log } from './log.js';
import { NameRounds } from './name-rounds.js';
import { eventsOf, problemOfAll } from './name-words.js';
import { type Planned, planEntries, type Wanted } from './planned.js';
import type { Recorder } from './recorder.js';

/** That nothing has changed is recorded so often at most: it is for people, who want to know how old an answer is. */
const RECORD_EVERY = hours(1);

export interface NameDeskOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: NameResolver;
  readonly rules: NameRules;
  /** When all names are looked up: a cron expression. */
  readonly schedule: string;
  readonly state: Pick<StoredState, 'names' | 'resolved'>;
  /** Entries of the configuration and of providers that are switched on; none where it is left out. */
  readonly given?: readonly NameEntry[];
  readonly departures: Departures;
  /** Keeps what a name let in from coming back as a reply. */
  readonly hold: (targets: readonly Target[]) => Promise<void>;
  /** Brings the interval sets to what `entries` gives. */
  readonly setRanges: () => Promise<void>;
}

/** A name that is let in, and how it stands. */
export interface TrackedEntry {
  readonly entry: NameEntry;
  readonly tracker: NameTracker;
}

/**
 * The host names that are let in: one tracker for each name, whoever asks for it. What is known from earlier counts from
 * the first moment; asking the DNS comes later and holds nobody up.
 */
export class NameDesk {
  readonly #o: NameDeskOptions;
  readonly #stored = new Map<string, NameEntry>();
  readonly #trackers = new Map<HostName, NameTracker>();
  readonly #recorded = new Map<HostName, ResolvedName>();
  readonly #rounds: NameRounds;
  #given: readonly NameEntry[];
  /** What the previous rules let in, while a change of them is provisional. */
  #fallback: readonly NameEntry[] | null = null;
  /** What has to leave the kernel with the next change. */
  #leaving: Target[] = [];
  #applying: Promise<void> | undefined;
  #isStale = false;
  #isStopped = false;

  constructor(options: NameDeskOptions) {
    this.#o = options;
    this.#given = options.given ?? [];
    for (const entry of options.state.names) this.#stored.set(entry.id, entry);
    for (const kept of options.state.resolved) this.#recorded.set(kept.name, kept);
    this.#rounds = new NameRounds({
      clock: options.clock,
      schedule: options.schedule,
      names: () => this.#trackers.values(),
      lookUp: (name) => this.#lookUp(name),
    });
    for (const { name } of this.#all()) this.#track(name);
  }

  /** Puts out names that nobody asks for any more, and begins to look the others up. Does not wait for any answer. */
  async start(): Promise<void> {
    const gone = [...this.#recorded.values()].filter(({ name }) => !this.#trackers.has(name));
    for (const { name } of gone) this.#forget(name);
    const addresses = gone.flatMap((one) => one.addresses);
    this.#depart(addresses);
    await this.#o.hold(addresses);
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#o.resolver.stop();
    await this.#rounds.stop();
    await this.#applying;
  }

  /** What the names let in now, or would let in where these were given. */
  entries(given = this.#given): Iterable<NamedTarget> {
    return entriesOfNames([...this.#stored.values(), ...given], (name) => this.#trackers.get(name)?.addresses ?? []);
  }

  /** What the names of the previous rules let in; null where there are none to come back to. */
  fallbackEntries(): Iterable<NamedTarget> | null {
    return this.#fallback === null ? null : this.entries(this.#fallback);
  }

  list(): TrackedEntry[] {
    return [...this.#all()].flatMap((entry) => this.#tracked(entry) ?? []);
  }

  /** Entries by their id, or all of a name. */
  find(what: string): TrackedEntry[] {
    const wanted = what.toLowerCase().replace(/\.$/, '');
    return this.list().filter(({ entry }) => entry.id.toLowerCase() === wanted || entry.name === wanted);
  }

  /** What is wrong with which names, in words; null where nothing is. */
  get problem(): string | null {
    return problemOfAll([...this.#trackers.values()]);
  }

  /** What a name stands for; undefined where nobody lets it in. */
  tracker(name: HostName): NameTracker | undefined {
    return this.#trackers.get(name);
  }

  get size(): number {
    return this.#trackers.size;
  }

  /**
   * Lets a name in until it is removed, and looks it up. The same name and services again are the same entry. That it does
   * not resolve is no error.
   * @throws SP_NAMES_FULL, SP_STORE_* where it cannot be kept
   */
  async add(wanted: Wanted<NameEntry>): Promise<TrackedEntry> {
    const [planned] = this.plan([wanted]);
    if (planned === undefined) throw new Error('nothing was planned');
    if (planned.changes.length > 0) await this.#o.recorder.recordNow(planned.changes);
    this.take([planned]);
    const tracker = this.#track(planned.entry.name);
    if (tracker.addresses.length > 0) await this.#apply([]);
    else await this.#rounds.lookNow(planned.entry.name);
    return { entry: planned.entry, tracker };
  }

  /**
   * What letting these in takes: an entry for each, and no records where it is there already. Changes nothing.
   * @throws SP_NAMES_FULL
   */
  plan(wanted: readonly Wanted<NameEntry>[]): Planned<NameEntry>[] {
    const names = new Set([...this.#trackers.keys(), ...wanted.map(({ name }) => name)]);
    if (names.size > Math.max(MOST_NAMES, this.#trackers.size)) {
      throw new SallyportError('SP_NAMES_FULL', { most: MOST_NAMES });
    }
    return planEntries(wanted, {
      stored: (meaning) => [...this.#stored.values()].find((entry) => meaningOf(entry) === meaning),
      meaningOf,
      changesOf: (entry) => [{ kind: 'name.put', entry }, this.#journal('entry.added', entry)],
      isTaken: (id) => this.#stored.has(id),
      now: this.#o.clock.now(),
    });
  }

  /** Tracks what was planned, and is recorded now; `setRanges` is for the caller. Does not wait for the DNS. */
  take(planned: readonly Planned<NameEntry>[]): void {
    for (const { entry } of planned) {
      this.#stored.set(entry.id, entry);
      this.#track(entry.name);
    }
    if (planned.length > 0) this.#rounds.plan();
  }

  /** @throws SP_ENTRY_CONFIGURED for one that the configuration makes, SP_ENTRY_PROVIDED for one of a provider */
  async remove(entry: NameEntry): Promise<void> {
    const { name: target, source, note } = entry;
    if (source === 'config') throw new SallyportError('SP_ENTRY_CONFIGURED', { target });
    if (source === 'provider') throw new SallyportError('SP_ENTRY_PROVIDED', { target, name: note ?? '' });
    const addresses = this.#addressesOf([entry]);
    const journal = this.#journal('entry.removed', entry);
    await this.#o.recorder.recordNow([
      { kind: 'name.remove', id: entry.id },
      this.#o.departures.add(addresses),
      journal,
    ]);
    this.#stored.delete(entry.id);
    this.#forgetUnwanted();
    await this.#apply(addresses);
  }

  /**
   * Sets what the configuration and providers let in, in place of what they did; `setRanges` is for the caller.
   * @param fallback what the previous rules let in, which is tracked as well; null where there are none to come back to
   */
  use(given: readonly NameEntry[], fallback: readonly NameEntry[] | null): void {
    const [before, now] = [this.#given, new Set(given.map(meaningOf))];
    const addresses = this.#addressesOf(before.filter((entry) => !now.has(meaningOf(entry))));
    this.#given = given;
    this.#fallback = fallback;
    for (const { name } of [...given, ...(fallback ?? [])]) this.#track(name);
    this.#forgetUnwanted();
    this.#rounds.plan();
    this.#depart(addresses);
    // What is not held for a fault of the kernel is put right with the rest.
    this.#o.hold(addresses).catch(() => undefined);
  }

  *#all(): Generator<NameEntry> {
    yield* this.#stored.values();
    yield* this.#given;
  }

  #tracked(entry: NameEntry): TrackedEntry | undefined {
    const tracker = this.#trackers.get(entry.name);
    return tracker === undefined ? undefined : { entry, tracker };
  }

  #track(name: HostName): NameTracker {
    const known = this.#trackers.get(name);
    if (known !== undefined) return known;
    const { rules, clock } = this.#o;
    const tracker = new NameTracker({ name, rules, clock, kept: this.#recorded.get(name) });
    this.#trackers.set(name, tracker);
    return tracker;
  }

  #addressesOf(entries: readonly NameEntry[]): Address[] {
    return [...new Set(entries.flatMap(({ name }) => this.#trackers.get(name)?.addresses ?? []))];
  }

  /** Remembers what is let in no more, over restarts. */
  #depart(addresses: readonly Address[]): void {
    if (addresses.length > 0) void this.#o.recorder.record([this.#o.departures.add(addresses)]);
  }

  #forgetUnwanted(): void {
    const wanted = new Set([...this.#all(), ...(this.#fallback ?? [])].map(({ name }) => name));
    for (const name of this.#trackers.keys()) {
      if (wanted.has(name)) continue;
      this.#trackers.delete(name);
      this.#forget(name);
    }
  }

  #forget(name: HostName): void {
    this.#recorded.delete(name);
    void this.#o.recorder.record([{ kind: 'resolved.remove', name }]);
  }

  async #lookUp(name: HostName): Promise<void> {
    const lookup = await this.#o.resolver.lookUp(name);
    const tracker = this.#trackers.get(name);
    if (tracker === undefined || this.#isStopped) return;
    const news = tracker.take(lookup);
    this.#record(tracker, news);
    if (news.entered.length + news.left.length > 0) await this.#apply(news.left);
  }

  #record(tracker: NameTracker, news: NameNews): void {
    const { recorder, clock, log, departures, rules } = this.#o;
    const events = eventsOf(tracker, news, rules.nxdomainAfter);
    for (const { event, detail } of events) {
      const isBad = event === 'name.failed' || event === 'name.dropped';
      log[isBad ? 'warn' : 'info']({ name: tracker.name }, `${event}: ${detail}`);
    }
    const changes: Change[] = events.map((event) => ({ kind: 'journal', event: { at: clock.now(), ...event } }));
    if (news.left.length > 0) changes.push(departures.add(news.left));
    const resolved = tracker.record();
    const hasMoved = news.entered.length + news.left.length > 0;
    if (events.length > 0 || hasMoved || this.#isOld(resolved)) {
      this.#recorded.set(tracker.name, resolved);
      changes.push({ kind: 'resolved.put', resolved });
    }
    if (changes.length > 0) void recorder.record(changes);
  }

  #isOld({ name, resolvedAt, missingSince }: ResolvedName): boolean {
    const known = this.#recorded.get(name);
    if (known?.missingSince == null ? missingSince !== null : missingSince === null) return true;
    return resolvedAt !== null && resolvedAt - (known?.resolvedAt ?? 0) >= RECORD_EVERY;
  }

  /** Brings the kernel to what the names stand for now. Changes that come meanwhile go together with the next. */
  async #apply(left: readonly Target[]): Promise<void> {
    this.#leaving.push(...left);
    this.#isStale = true;
    this.#applying ??= this.#applyAll().finally(() => {
      this.#applying = undefined;
    });
    await this.#applying;
  }

  async #applyAll(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await this.#o.hold(this.#leaving.splice(0));
        await this.#o.setRanges();
      } catch (error) {
        // The guard puts it right by itself.
        this.#o.log.warn({ err: error }, 'the packet filter did not take the addresses of a name');
      }
    }
  }

  #journal(event: 'entry.added' | 'entry.removed', { name, services, note }: NameEntry): Change {
    const detail = note === null ? name : `${name}: ${note}`;
    return { kind: 'journal', event: { at: this.#o.clock.now(), event, services, detail } };
  }
}

/** Entries that say the same let in the same. */
function meaningOf({ name, services }: Pick<NameEntry, 'name' | 'services'>): string {
  return `${name} ${services.join()}`;
}
