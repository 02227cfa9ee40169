import { setImmediate as turn } from 'node:timers/promises';
import { isSallyportError, type SallyportError } from '../core/errors.js';
import type { Change, JournalQuery, NumberedEvent, Store, StoredState } from '../core/store.js';
import { type Duration, humanDuration, type Instant, seconds } from '../core/time.js';
import { stateFiles } from './directory.js';
import { failed, toError, toFault } from './faults.js';
import { CHECKED_BELOW } from './open-database.js';
import { collectEvents, collectState } from './pages.js';
import type { Query } from './protocol.js';
import type { Page } from './reader.js';
import { WorkerLink } from './worker-link.js';
import { WriteQueue } from './write-queue.js';

export interface SqliteStoreOptions {
  /** Where the database and the lock lie: made for its owner alone where it is missing. */
  readonly directory: string;
  /** Told once when the store died after it was opened. Every call from then on rejects with the same error. */
  onFailed(error: SallyportError): void;
  /**
   * `false` opens an existing state to be read, without the lock, whether a daemon has it open or not; a state that is not
   * there reads as empty. Writing is then refused. Default true.
   */
  readonly lock?: boolean;
  /** Databases below this many bytes are checked from end to end when they are opened. */
  readonly checkedBelow?: number;
  /** How long opening and closing may take before the store is given up. Default 10 s. */
  readonly deadline?: Duration;
}

const DEADLINE = seconds(10);

/**
 * Users, entries, grants and the journal in a SQLite database, on a thread of its own: a disk that stalls never holds up
 * the event loop. A change is on the disk (`synchronous=FULL`) when its `write` resolves, and calls that arrive while a
 * commit runs share the next one.
 *
 * Every method rejects with a coded error: SP_STORE_FULL (the next write after there is room works again),
 * SP_STATE_UNWRITABLE, SP_STORE_DAMAGED, SP_STORE_REFUSED for a change that contradicts what is kept or could not be read
 * back, SP_STORE_FAILED where the store is dead, closed or not yet open.
 */
export class SqliteStore implements Store {
  readonly #options: SqliteStoreOptions;
  /** There from the moment that opening began. */
  #link: WorkerLink | undefined;
  /** There from the moment that it was open. */
  #queue: WriteQueue | undefined;
  /** Answers of several pages take turns. */
  #reading: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
  }

  /**
   * Takes the lock, opens or makes the database, checks it and brings its schema up to date, within the deadline.
   * @throws SP_STATE_LOCKED, SP_STATE_UNWRITABLE, SP_STORE_DAMAGED, SP_STORE_NEWER, SP_STORE_FULL, SP_STORE_FAILED
   */
  async open(): Promise<void> {
    if (this.#link !== undefined || this.#closing !== undefined) throw failed('it can be opened only once');
    const { directory, lock = true, checkedBelow = CHECKED_BELOW } = this.#options;
    const link = new WorkerLink({ directory, lock, checkedBelow }, (error) => this.#options.onFailed(error));
    this.#link = link;
    try {
      await this.#within('open', link.opened);
    } catch (error) {
      link.end(failed('it could not be opened', error));
      throw error;
    }
    this.#queue = new WriteQueue((calls) => link.ask({ kind: 'write', calls }));
  }

  /** Users by id, entries by age, then grants that live, then those that ended. One snapshot, fetched in pieces. */
  async load(endedAfter: Instant): Promise<StoredState> {
    const { grants, ...state } = await this.#coded(collectState(this.#pages({ kind: 'load', endedAfter })));
    return { ...state, grants: this.#codedEach(grants) };
  }

  async write(changes: readonly Change[]): Promise<void> {
    const { queue } = this.#open();
    if (changes.length > 0) await queue.add(changes);
  }

  readJournal(query: JournalQuery): Promise<readonly NumberedEvent[]> {
    return this.#coded(collectEvents(this.#pages({ kind: 'journal', query })));
  }

  async prune(before: Instant): Promise<number> {
    const { link } = this.#open();
    for (let dropped = 0; ; ) {
      const { events, done } = await link.ask({ kind: 'prune', before });
      dropped += events;
      if (done) return dropped;
    }
  }

  /**
   * Writes what was handed in, empties the log into the database and releases the lock; an opening under way is waited for.
   * Within the deadline; never rejects.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    const flushed = async () => {
      await this.#queue?.idle();
      await link.ask({ kind: 'close' });
    };
    await this.#within('close', flushed()).catch(() => undefined);
    link.end(notOpen());
  }

  #open(): { readonly link: WorkerLink; readonly queue: WriteQueue } {
    const [link, queue] = [this.#link, this.#queue];
    if (link === undefined || queue === undefined || this.#closing !== undefined) throw notOpen();
    return { link, queue };
  }

  /** Waits until the answer before has been read or broken off. */
  async *#pages(query: Query): AsyncGenerator<Page, void, void> {
    const { link } = this.#open();
    const before = this.#reading;
    let done = () => {};
    this.#reading = new Promise<void>((resolve) => {
      done = resolve;
    });
    try {
      await before;
      yield* pagesOf(link, query);
    } finally {
      done();
    }
  }

  async #coded<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#toError(error);
    }
  }

  async *#codedEach<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    try {
      yield* items;
    } catch (error) {
      throw this.#toError(error);
    }
  }

  #toError(error: unknown): SallyportError {
    return isSallyportError(error) ? error : toError(toFault(error, stateFiles(this.#options.directory)));
  }

  async #within<T>(deed: 'open' | 'close', work: Promise<T>): Promise<T> {
    const { deadline = DEADLINE } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(failed(`it did not ${deed} within ${humanDuration(deadline)}`)), deadline);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Each page is parsed while the worker reads the next. A port hands over whatever has come before it lets the event loop go
 * on, so it takes a turn of the loop between pages to keep each turn short.
 */
async function* pagesOf(link: WorkerLink, query: Query): AsyncGenerator<Page, void, void> {
  let next: Promise<Page | null> = link.ask(query);
  try {
    for (let page = await next; page !== null; page = await next) {
      next = link.ask({ kind: 'more' });
      next.catch(() => undefined);
      yield page;
      await turn();
    }
  } finally {
    link.ask({ kind: 'enough' }).catch(() => undefined);
  }
}

function notOpen(): SallyportError {
  return failed('it is not open');
}
