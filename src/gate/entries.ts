import type { Target } from '../core/address.js';
import { type Entry, MOST_ENTRIES } from '../core/entry.js';
import { SallyportError } from '../core/errors.js';
import { parseDeparted } from '../core/grants/departed.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change, StoredState } from '../core/store.js';
import type { Clock } from '../core/time.js';
import type { Departures } from './departures.js';
import { type Planned, planEntries, type Wanted } from './planned.js';
import type { Recorder } from './recorder.js';

/** The whitelist: entries of the store, and those that the rules of the configuration and providers make. */
export class Entries {
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  #given: readonly Entry[] = [];
  #fallback: readonly Entry[] | null = null;
  readonly #stored = new Map<string, Entry>();
  /** The same, to be found among very many. */
  readonly #byMeaning = new Map<string, Entry>();
  readonly #hold: (targets: readonly Target[]) => Promise<void>;
  readonly #setRanges: () => Promise<void>;
  #givenBefore: readonly string[];
  #isStarted = false;
  /** Those that are being recorded. */
  readonly #coming = new Set<string>();
  readonly #departures: Departures;

  constructor(options: {
    recorder: Recorder;
    clock: Clock;
    state: Pick<StoredState, 'entries' | 'meta'>;
    departures: Departures;
    /** Keeps what an entry let in from coming back as a reply. */
    hold: (targets: readonly Target[]) => Promise<void>;
    /** Brings the interval sets to what is listed here. */
    setRanges: () => Promise<void>;
  }) {
    this.#recorder = options.recorder;
    this.#clock = options.clock;
    this.#hold = options.hold;
    this.#setRanges = options.setRanges;
    const { entries, meta } = options.state;
    for (const entry of entries) this.#put(entry);
    this.#departures = options.departures;
    this.#givenBefore = (meta.configured ?? '').split(' ');
  }

  /** Lets in whom others let in, and, where a change of the rules is provisional, whom the previous ones do beside it. */
  use(given: readonly Entry[], fallback: readonly Entry[] | null): void {
    this.#given = given;
    this.#fallback = fallback;
    // What is not held for a fault of the kernel is put right with the rest.
    if (this.#isStarted) this.#putOut().catch(() => undefined);
  }

  /** Puts out what the configuration and its providers let in when the gateway last ran, and let in no more. */
  async start(): Promise<void> {
    this.#isStarted = true;
    await this.#putOut();
  }

  /** Whom a change lets in no more is held at once: that does no harm where the previous rules come back. */
  async #putOut(): Promise<void> {
    const now = new Set<string>(this.#given.map(({ target }) => target));
    const gone = this.#givenBefore.filter((target) => !now.has(target));
    const departed = parseDeparted(gone.map((target) => `${target}@0`).join(' ')).map(({ target }) => target);
    this.#givenBefore = [...now];
    const remembered = { kind: 'meta', key: 'configured', value: [...now].join(' ') } as const;
    void this.#recorder.record([remembered, ...(departed.length > 0 ? [this.#departures.add(departed)] : [])]);
    await this.#hold(departed);
  }

  list(): Entry[] {
    return this.listWith(this.#given);
  }

  /** What would be let in where these were given. */
  listWith(given: readonly Entry[]): Entry[] {
    return [...this.#stored.values(), ...given];
  }

  /** What the previous rules let in; null where there are none to come back to. */
  fallbackList(): Entry[] | null {
    return this.#fallback === null ? null : this.listWith(this.#fallback);
  }

  find(id: string): Entry | undefined {
    return this.list().find((entry) => entry.id.toLowerCase() === id.toLowerCase());
  }

  /**
   * Lets a target in until it is removed. The same target and services again are the same entry.
   * @throws SP_ENTRIES_FULL, SP_STORE_* where it cannot be kept
   */
  async add(wanted: Wanted<Entry>): Promise<Entry> {
    const [planned] = this.plan([wanted]);
    if (planned === undefined) throw new Error('nothing was planned');
    if (planned.changes.length === 0) return planned.entry;
    await this.keep([planned], () => this.#recorder.recordNow(planned.changes));
    await this.settle();
    return planned.entry;
  }

  /**
   * What letting these in takes: an entry for each, and no records where it is there already. Changes nothing.
   * @throws SP_ENTRIES_FULL
   */
  plan(wanted: readonly Wanted<Entry>[]): Planned<Entry>[] {
    const planned = planEntries(wanted, {
      stored: (meaning) => this.#byMeaning.get(meaning),
      meaningOf,
      changesOf: (entry) => [{ kind: 'entry.put', entry }, this.#journal('entry.added', entry)],
      isTaken: (id) => this.#stored.has(id) || this.#coming.has(id),
      now: this.#clock.now(),
    });
    const fresh = new Set(planned.map(({ entry }) => entry.id).filter((id) => !this.#stored.has(id)));
    if (fresh.size > 0 && this.#stored.size + this.#coming.size + fresh.size > MOST_ENTRIES) {
      throw new SallyportError('SP_ENTRIES_FULL', { most: MOST_ENTRIES });
    }
    return planned;
  }

  /** Records what was planned and takes it in, with room kept for it meanwhile. `settle` is for the caller. */
  async keep(planned: readonly Planned<Entry>[], record: () => Promise<void>): Promise<void> {
    const ids = planned.map(({ entry }) => entry.id).filter((id) => !this.#stored.has(id));
    for (const id of ids) this.#coming.add(id);
    try {
      await record();
      for (const { entry } of planned) this.#put(entry);
    } finally {
      for (const id of ids) this.#coming.delete(id);
    }
  }

  /** Brings the kernel to the entries there are. */
  async settle(): Promise<void> {
    await this.#setRanges();
  }

  /** @throws SP_ENTRY_CONFIGURED for one that the configuration makes, SP_ENTRY_PROVIDED for one of a provider */
  async remove(entry: Entry): Promise<void> {
    const { target, source, note } = entry;
    if (source === 'config') throw new SallyportError('SP_ENTRY_CONFIGURED', { target });
    if (source === 'provider') throw new SallyportError('SP_ENTRY_PROVIDED', { target, name: note ?? '' });
    const changes = [this.#departures.add([target]), this.#journal('entry.removed', entry)];
    await this.#recorder.recordNow([{ kind: 'entry.remove', id: entry.id }, ...changes]);
    this.#stored.delete(entry.id);
    if (this.#byMeaning.get(meaningOf(entry))?.id === entry.id) this.#byMeaning.delete(meaningOf(entry));
    await this.#hold([entry.target]);
    await this.#setRanges();
  }

  #put(entry: Entry): void {
    this.#stored.set(entry.id, entry);
    this.#byMeaning.set(meaningOf(entry), entry);
  }

  #journal(event: JournalEvent['event'], { target, services, note }: Entry): Change {
    return {
      kind: 'journal',
      event: { at: this.#clock.now(), event, address: target, services, detail: note },
    };
  }
}

/** Entries that say the same are the same. */
function meaningOf({ target, services }: Pick<Entry, 'target' | 'services'>): string {
  return `${target} ${services.join()}`;
}
