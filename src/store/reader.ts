import type { JournalQuery } from '../core/store.js';
import type { Instant } from '../core/time.js';
import type { Database } from './driver.js';
import { COLUMNS, type Table } from './tables.js';

/**
 * A part of an answer: rows of one table as the JSON of an array of objects. SQLite writes that JSON itself, and the thread
 * that wants the rows parses it: for 100,000 grants this takes a third of the time of building rows here and copying them
 * over. A page is small enough that it holds neither thread for long.
 */
export interface Page {
  readonly table: Table;
  readonly rows: string;
}

export type Pages = Generator<Page, void, void>;

const PAGE_ROWS = 250;

/**
 * Answers questions page by page, each answer from one snapshot whatever is written meanwhile. One answer at a time: a
 * generator must be drained or returned before the next begins.
 */
export class StateReader {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Everything that `Store.load` promises, grants last. */
  *state(endedAfter: Instant): Pages {
    yield* this.#snapshot(this.#statePages(endedAfter));
  }

  /** The journal, newest first. */
  *journal(query: JournalQuery): Pages {
    yield* this.#snapshot(this.#journalPages(query));
  }

  close(): void {
    this.#db.close();
  }

  *#statePages(endedAfter: Instant): Pages {
    yield* this.#rows('users', 'users LEFT JOIN sequences ON sequences.user_id = users.id ORDER BY users.id');
    yield* this.#rows('entries', 'entries ORDER BY created_at, id');
    yield* this.#rows('names', 'names ORDER BY created_at, id');
    yield* this.#rows('resolved', 'resolved');
    yield* this.#rows('meta', 'meta');
    yield* this.#rows('grants', 'grants WHERE ended_at IS NULL');
    yield* this.#rows('grants', 'grants WHERE ended_at > ? ORDER BY ended_at', endedAfter);
  }

  /**
   * The wall clock may have been set back, so `at` does not rise with `seq`, and neither index alone is quick: few events
   * since a moment are found by `at` and sorted; many, by walking back from the newest.
   */
  *#journalPages({ since, afterSeq = 0, event, limit }: JournalQuery): Pages {
    const newest = 'ORDER BY seq DESC LIMIT ?';
    if (event !== undefined) {
      const named = 'journal INDEXED BY journal_at WHERE seq > ? AND at >= ? AND event = ?';
      yield* this.#rows('journal', `${named} ${newest}`, afterSeq, since ?? 0, event, limit);
      return;
    }
    if (since === undefined) {
      yield* this.#rows('journal', `journal WHERE seq > ? ${newest}`, afterSeq, limit);
      return;
    }
    const count = this.#db.prepare('SELECT count(*) FROM (SELECT 1 FROM journal WHERE at >= ? LIMIT ?)').pluck();
    const path = Number(count.get(since, limit)) < limit ? 'INDEXED BY journal_at' : 'NOT INDEXED';
    yield* this.#rows('journal', `journal ${path} WHERE seq > ? AND at >= ? ${newest}`, afterSeq, since, limit);
  }

  /** @param source what stands after FROM */
  *#rows(table: Table, source: string, ...values: (number | string)[]): Pages {
    const fields = Object.entries(COLUMNS[table]).map(([name, expression]) => `'${name}', ${expression}`);
    const statement = this.#db
      .prepare<(number | string)[], string>(`SELECT json_object(${fields.join(', ')}) FROM ${source}`)
      .pluck();
    let rows: string[] = [];
    for (const row of statement.iterate(...values)) {
      rows.push(row);
      if (rows.length === PAGE_ROWS) {
        yield { table, rows: `[${rows.join(',')}]` };
        rows = [];
      }
    }
    if (rows.length > 0) yield { table, rows: `[${rows.join(',')}]` };
  }

  *#snapshot(pages: Pages): Pages {
    this.#db.exec('BEGIN');
    try {
      yield* pages;
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }
}
