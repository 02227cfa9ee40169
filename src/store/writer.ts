import type { Change } from '../core/store.js';
import type { Instant } from '../core/time.js';
import { BadRow, type Row } from './columns.js';
import type { Database, Statement } from './driver.js';
import { isCallersFault } from './faults.js';
import {
  endRow,
  entryRow,
  eventRow,
  grantRow,
  metaRow,
  nameRow,
  resolvedRow,
  toEnd,
  toEntry,
  toEvent,
  toGrantRecord,
  toMeta,
  toNameEntry,
  toResolved,
  toUser,
  userRow,
} from './rows.js';

/** Rows that one transaction of a prune drops: it holds writes up for a few milliseconds. */
const PRUNE_ROWS = 250;

/** How much may gather in the write-ahead log before it is carried over into the database. */
const CHECKPOINT_COMMITS = 500;
const CHECKPOINT_CHANGES = 4000;

/** The one writer of the database; every method ends on the disk or throws and has changed nothing. */
export class StateWriter {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepareAll>;
  #commits = 0;
  #changes = 0;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepareAll(db);
  }

  /**
   * Commits many calls in one transaction, each whole or not at all, in their order. A call whose own change is bad (see
   * `isCallersFault`) is left out and its error is in the answer, by its place among the calls; anything else undoes all
   * of them and is thrown.
   */
  commit(calls: readonly (readonly Change[])[]): Map<number, unknown> {
    const refused = new Map<number, unknown>();
    this.#transaction(() => {
      for (const [index, changes] of calls.entries()) {
        this.#statements.savepoint.run();
        try {
          for (const change of changes) this.#apply(change);
        } catch (error) {
          if (!isCallersFault(error)) throw error;
          this.#statements.undo.run();
          refused.set(index, error);
        }
        this.#statements.release.run();
        this.#changes += changes.length;
      }
    });
    return refused;
  }

  /** Drops some of what is older than `before`; `done` when nothing is left to drop. */
  prune(before: Instant): { readonly events: number; readonly done: boolean } {
    const { pruneJournal, pruneGrants } = this.#statements;
    let [events, grants] = [0, 0];
    this.#transaction(() => {
      events = pruneJournal.run(before, PRUNE_ROWS).changes;
      grants = pruneGrants.run(before, PRUNE_ROWS - events).changes;
      this.#changes += events + grants;
    });
    return { events, done: events + grants < PRUNE_ROWS };
  }

  /**
   * Carries the log over into the database when enough has gathered. Called after the callers have their answer: it costs
   * two syncs. Should it fail, nothing is lost, for the log keeps all and the next one tries again.
   */
  checkpoint(): void {
    if (this.#commits < CHECKPOINT_COMMITS && this.#changes < CHECKPOINT_CHANGES) return;
    this.#commits = 0;
    this.#changes = 0;
    try {
      this.#db.pragma('wal_checkpoint(PASSIVE)');
    } catch {}
  }

  /** Empties the log into the database and closes it. */
  close(): void {
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {}
    this.#db.close();
  }

  /** SQLite undoes a transaction by itself on some errors (a full disk) and not on others. */
  #transaction(work: () => void): void {
    this.#statements.begin.run();
    try {
      work();
      this.#statements.commit.run();
      this.#commits++;
    } catch (error) {
      if (this.#db.inTransaction) this.#statements.rollback.run();
      throw error;
    }
  }

  /** Each row goes through its decoder first: what could not be read back is not written. */
  #apply(change: Change): void {
    const on = this.#statements;
    switch (change.kind) {
      case 'journal':
        on.addEvent.run(checked(eventRow(change.event), toEvent));
        return;
      case 'grant.put':
        on.putGrant.run(checked(grantRow(change.record), toGrantRecord));
        return;
      case 'grant.end':
        on.endGrant.run(checked(endRow(change), toEnd));
        return;
      case 'user.put': {
        const row = checked(userRow(change.user), toUser);
        on.putUser.run(row);
        on.putSequence.run(row);
        return;
      }
      case 'user.remove':
        on.removeUser.run(change.id);
        return;
      case 'entry.put':
        on.putEntry.run(checked(entryRow(change.entry), toEntry));
        return;
      case 'entry.remove':
        on.removeEntry.run(change.id);
        return;
      case 'name.put':
        on.putName.run(checked(nameRow(change.entry), toNameEntry));
        return;
      case 'name.remove':
        on.removeName.run(change.id);
        return;
      case 'resolved.put':
        on.putResolved.run(checked(resolvedRow(change.resolved), toResolved));
        return;
      case 'resolved.remove':
        on.removeResolved.run(change.name);
        return;
      case 'meta':
        on.putMeta.run(checked(metaRow(change.key, change.value), toMeta));
        return;
      default:
        throw new BadRow(`there is no change "${String((change satisfies never as { kind?: unknown }).kind)}"`);
    }
  }
}

function checked(row: Row, decode: (row: Row) => unknown): Row {
  decode(row);
  return row;
}

function prepareAll(db: Database) {
  const on = (sql: string): Statement => db.prepare(sql);
  return {
    begin: on('BEGIN IMMEDIATE'),
    commit: on('COMMIT'),
    rollback: on('ROLLBACK'),
    savepoint: on('SAVEPOINT call'),
    undo: on('ROLLBACK TO call'),
    release: on('RELEASE call'),

    addEvent: on(`INSERT INTO journal (at, event, user, address, method, services, grant_id, detail)
      VALUES (:at, :event, :user, :address, :method, :services, :grant_id, :detail)`),

    putGrant:
      on(`INSERT INTO grants (id, user_id, user_name, target, services, method, opened_at, expires_at, expires_mono,
        ttl, note, ended_at, end_reason)
      VALUES (:id, :user_id, :user_name, :target, :services, :method, :opened_at, :expires_at, :expires_mono,
        :ttl, :note, :ended_at, :end_reason)
      ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, user_name = excluded.user_name, target = excluded.target,
        services = excluded.services, method = excluded.method, opened_at = excluded.opened_at,
        expires_at = excluded.expires_at, expires_mono = excluded.expires_mono, ttl = excluded.ttl, note = excluded.note,
        ended_at = excluded.ended_at, end_reason = excluded.end_reason`),
    // The first end stands; the end of a grant that was never recorded (the disk was full then) is no error.
    endGrant: on(
      'UPDATE grants SET ended_at = :ended_at, end_reason = :end_reason WHERE id = :id AND ended_at IS NULL',
    ),

    putUser: on(`INSERT INTO users (id, name, services, ttl, max_addresses, account, pin_hash, approval, number,
        created_at)
      VALUES (:id, :name, :services, :ttl, :max_addresses, :account, :pin_hash, :approval, :number, :created_at)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, services = excluded.services, ttl = excluded.ttl,
        max_addresses = excluded.max_addresses, account = excluded.account, pin_hash = excluded.pin_hash,
        approval = excluded.approval, number = excluded.number, created_at = excluded.created_at`),
    putSequence: on(`INSERT INTO sequences (id, user_id, steps) VALUES (:sequence_id, :id, :steps)
      ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, steps = excluded.steps`),
    removeUser: on('DELETE FROM users WHERE id = ?'),

    putEntry: on(`INSERT INTO entries (id, target, services, note, source, created_at)
      VALUES (:id, :target, :services, :note, :source, :created_at)
      ON CONFLICT (id) DO UPDATE SET target = excluded.target, services = excluded.services, note = excluded.note,
        source = excluded.source, created_at = excluded.created_at`),
    removeEntry: on('DELETE FROM entries WHERE id = ?'),

    putName: on(`INSERT INTO names (id, name, services, note, created_at)
      VALUES (:id, :name, :services, :note, :created_at)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, services = excluded.services, note = excluded.note,
        created_at = excluded.created_at`),
    removeName: on('DELETE FROM names WHERE id = ?'),
    putResolved: on(`INSERT INTO resolved (name, addresses, resolved_at, missing_since)
      VALUES (:name, :addresses, :resolved_at, :missing_since)
      ON CONFLICT (name) DO UPDATE SET addresses = excluded.addresses, resolved_at = excluded.resolved_at,
        missing_since = excluded.missing_since`),
    removeResolved: on('DELETE FROM resolved WHERE name = ?'),

    putMeta: on(
      'INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),

    pruneJournal: on('DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE at < ? ORDER BY at LIMIT ?)'),
    pruneGrants: on(
      'DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE ended_at < ? ORDER BY ended_at LIMIT ?)',
    ),
  };
}
