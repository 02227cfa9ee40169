import { setImmediate } from 'node:timers/promises';
import { isSallyportError, type SallyportError } from '../core/errors.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change, NumberedEvent, Store } from '../core/store.js';
import type { Log } from './log.js';

const RETRY_MS = 1000;
/** So many changes go to the store at once: to make them JSON holds the event loop for some milliseconds. */
const LARGEST_WRITE = 4000;
/** Followers are told of so many events in one turn of the event loop. */
const TOLD_AT_ONCE = 100;
const LONGEST_QUEUE = 200_000;
/** All that was written since: a follower misses nothing. */
const ALL_EVENTS = 2 ** 31 - 1;

interface Waiting {
  readonly changes: readonly Change[];
  /** Tried once: where it cannot be written it is given up. */
  readonly isNowOrNever: boolean;
  readonly written: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Brings records to the store in their order and without loss: what cannot be written, for a full disk say, waits and is
 * tried again. What the kernel has done is never held up by it.
 */
export class Recorder {
  readonly #store: Store;
  readonly #log: Log;
  readonly #followers = new Set<(event: NumberedEvent) => void>();
  #queue: Waiting[] = [];
  #pump: Promise<void> | undefined;
  #problem: string | undefined;
  #isStopping = false;
  #wakeUp: () => void = () => undefined;
  /** The last event that followers were told of; undefined while it is not known. */
  #lastSeq: number | undefined;
  #following: Promise<void> = Promise.resolve();

  constructor(options: { store: Store; log: Log }) {
    this.#store = options.store;
    this.#log = options.log;
  }

  /**
   * Keeps changes, together or not at all. The promise resolves when they are on the disk and rejects when the first try
   * fails; they are tried again all the same. It may be left alone.
   */
  record(changes: readonly Change[]): Promise<void> {
    const promise = this.#enqueue(changes, false);
    promise.catch(() => undefined);
    if (this.#queue.length > LONGEST_QUEUE) {
      this.#queue.shift()?.failed(new Error('the queue of records is full'));
      this.#log.error({}, 'too many records wait for the disk; the oldest is lost');
    }
    this.#pump ??= this.#run();
    return promise;
  }

  #enqueue(changes: readonly Change[], isNowOrNever: boolean): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#queue.push({ changes, isNowOrNever, written: resolve, failed: reject });
    });
  }

  tell(event: JournalEvent): Promise<void> {
    return this.record([{ kind: 'journal', event }]);
  }

  /**
   * Keeps changes now or not at all: rejects, without trying again, where they cannot be written. What waits comes first,
   * so that the end of a grant never overtakes its beginning.
   */
  async recordNow(changes: readonly Change[]): Promise<void> {
    const written = this.#enqueue(changes, true);
    this.#pump ??= this.#run();
    this.#wakeUp();
    await written;
  }

  /** The public text of what hinders records from being written; undefined where nothing does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** How many records wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Calls back with every event from now on, until the function that it returns is called. */
  follow(listener: (event: NumberedEvent) => void): () => void {
    if (this.#followers.size === 0) {
      this.#lastSeq = undefined;
      this.#inTurn(() => this.#deliver());
    }
    this.#followers.add(listener);
    return () => this.#followers.delete(listener);
  }

  /** Writes what waits, with a last try where the store refuses. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wakeUp();
    await this.#pump;
    if (this.#queue.length > 0) this.#log.error({ records: this.#queue.length }, 'records could not be written');
  }

  async #run(): Promise<void> {
    let largest = LARGEST_WRITE;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, countUpTo(this.#queue, largest));
      try {
        await this.#store.write(batch.flatMap(({ changes }) => changes));
        for (const one of batch) one.written();
        if (this.#problem !== undefined) this.#log.info({}, 'the store takes records again');
        this.#problem = undefined;
        largest = LARGEST_WRITE;
        this.#inform();
      } catch (error) {
        if (isSallyportError(error, 'SP_STORE_REFUSED')) {
          // One of them can never be written. The others must not wait for it: it is found by halves, and left out.
          if (batch.length > 1) this.#queue = [...batch, ...this.#queue];
          else this.#refused(batch, error);
          largest = Math.ceil(changesOf(batch) / 2);
          continue;
        }
        const waiting = [...batch, ...this.#queue];
        this.#queue = waiting.filter(({ isNowOrNever }) => !isNowOrNever);
        for (const one of batch) one.failed(error);
        for (const one of waiting) if (one.isNowOrNever) one.failed(error);
        if (this.#queue.length === 0) break;
        if (this.#problem === undefined) this.#log.error({ err: error }, 'records cannot be written; trying again');
        this.#problem = isSallyportError(error) ? error.message : 'the store fails';
        if (this.#isStopping) break;
        await this.#pause();
      }
    }
    this.#pump = undefined;
  }

  #refused(batch: readonly Waiting[], error: SallyportError): void {
    for (const one of batch) one.failed(error);
    this.#log.error({ err: error }, 'the store refused a record; it is lost');
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Followers read what was written from the store, so that they see the same numbers as everybody. */
  #inform(): void {
    if (this.#followers.size > 0) this.#inTurn(() => this.#deliver());
  }

  #inTurn(task: () => Promise<void>): void {
    this.#following = this.#following.then(task).catch((error) => {
      this.#log.warn({ err: error }, 'the journal cannot be followed');
    });
  }

  async #deliver(): Promise<void> {
    if (this.#lastSeq === undefined) {
      const [latest] = await this.#store.readJournal({ limit: 1 });
      this.#lastSeq = latest?.seq ?? 0;
      return;
    }
    const events = await this.#store.readJournal({ afterSeq: this.#lastSeq, limit: ALL_EVENTS });
    for (const [index, event] of events.entries()) {
      this.#lastSeq = event.seq;
      for (const listener of this.#followers) listener(event);
      if (index % TOLD_AT_ONCE === TOLD_AT_ONCE - 1) await setImmediate();
    }
  }
}

/** How many records, at least one, have so many changes. */
function countUpTo(queue: readonly Waiting[], most: number): number {
  let changes = 0;
  const first = queue.findIndex((one, index) => {
    changes += one.changes.length;
    return index > 0 && changes > most;
  });
  return first < 0 ? queue.length : first;
}

function changesOf(batch: readonly Waiting[]): number {
  return batch.reduce((sum, { changes }) => sum + changes.length, 0);
}
