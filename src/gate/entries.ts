import { randomBytes } from 'node:crypto';
import type { Target } from '../core/address.js';
import type { Entry } from '../core/entry.js';
import { SallyportError } from '../core/errors.js';
import type { JournalEvent } from '../core/journal.js';
import type { Clock } from '../core/time.js';
import type { Recorder } from './recorder.js';

/** The whitelist: entries of the store, which change, and of the configuration, which do not. */
export class Entries {
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  readonly #configured: readonly Entry[];
  readonly #stored = new Map<string, Entry>();
  readonly #setRanges: () => Promise<void>;

  constructor(options: {
    recorder: Recorder;
    clock: Clock;
    stored: readonly Entry[];
    configured: readonly Entry[];
    /** Brings the interval sets to what is listed here. */
    setRanges: () => Promise<void>;
  }) {
    this.#recorder = options.recorder;
    this.#clock = options.clock;
    this.#configured = options.configured;
    this.#setRanges = options.setRanges;
    for (const entry of options.stored) this.#stored.set(entry.id, entry);
  }

  list(): Entry[] {
    return [...this.#stored.values(), ...this.#configured];
  }

  find(id: string): Entry | undefined {
    return this.list().find((entry) => entry.id.toLowerCase() === id.toLowerCase());
  }

  /** Lets a target in until it is removed. The same target and services again are the same entry. */
  async add(wanted: Pick<Entry, 'target' | 'services' | 'note' | 'source'>): Promise<Entry> {
    const same = [...this.#stored.values()].find(
      (entry) => entry.target === wanted.target && entry.services.join() === wanted.services.join(),
    );
    if (same !== undefined && (wanted.note === null || wanted.note === same.note)) return same;
    const id = same?.id ?? `E${randomBytes(4).toString('hex')}`;
    const entry: Entry = { ...wanted, id, createdAt: same?.createdAt ?? this.#clock.now() };
    await this.#recorder.recordNow([{ kind: 'entry.put', entry }, this.#journal('entry.added', entry)]);
    this.#stored.set(id, entry);
    await this.#setRanges();
    return entry;
  }

  /** @throws SP_ENTRY_CONFIGURED for one that the configuration makes */
  async remove(entry: Entry): Promise<void> {
    if (entry.source === 'config') throw new SallyportError('SP_ENTRY_CONFIGURED', { target: entry.target });
    await this.#recorder.recordNow([{ kind: 'entry.remove', id: entry.id }, this.#journal('entry.removed', entry)]);
    this.#stored.delete(entry.id);
    await this.#setRanges();
  }

  #journal(event: JournalEvent['event'], { target, services, note }: { target: Target } & Entry) {
    return {
      kind: 'journal',
      event: { at: this.#clock.now(), event, address: target, services, detail: note },
    } as const;
  }
}
