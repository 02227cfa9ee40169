import type { Database } from './driver.js';
import { StoreFault } from './faults.js';

/**
 * The steps from an empty database to the present schema. Step n makes version n of `PRAGMA user_version`. They only go
 * forward and are never edited once released: a change of the schema is a new step at the end.
 *
 * Times are milliseconds: `_at` on the wall clock since 1970, `_mono` on the monotonic clock of one boot, `ttl` a length.
 * `services` is a JSON array of names. A user of a grant is kept by id and name: grants outlive their users.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    services      TEXT NOT NULL,
    ttl           INTEGER,
    max_addresses INTEGER NOT NULL,
    account       TEXT UNIQUE,
    pin_hash      TEXT,
    created_at    INTEGER NOT NULL
  ) STRICT;

  -- Secrets: steps as in tcp/1,udp/2,tcp/3. Apart from users, so that users can be listed without them.
  CREATE TABLE sequences (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    steps   TEXT NOT NULL
  ) STRICT;

  CREATE TABLE entries (
    id         TEXT PRIMARY KEY NOT NULL,
    target     TEXT NOT NULL,
    services   TEXT NOT NULL,
    note       TEXT,
    source     TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE grants (
    id           TEXT PRIMARY KEY NOT NULL,
    user_id      INTEGER,
    user_name    TEXT,
    target       TEXT NOT NULL,
    services     TEXT NOT NULL,
    method       TEXT NOT NULL,
    opened_at    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    expires_mono INTEGER NOT NULL,
    ttl          INTEGER NOT NULL,
    note         TEXT,
    ended_at     INTEGER,
    end_reason   TEXT
  ) STRICT;

  -- Serves both questions: what is live (NULL comes first), and what ended after or before a moment.
  CREATE INDEX grants_ended_at ON grants (ended_at);

  CREATE TABLE journal (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    event    TEXT NOT NULL,
    user     TEXT,
    address  TEXT,
    method   TEXT,
    services TEXT,
    grant_id TEXT,
    detail   TEXT
  ) STRICT;

  CREATE INDEX journal_at ON journal (at);
  `,
  `
  ALTER TABLE users ADD COLUMN approval TEXT NOT NULL DEFAULT 'none';
  ALTER TABLE users ADD COLUMN number TEXT;
  `,
  `
  -- The host names that operators let in; those of the configuration are in it.
  CREATE TABLE names (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    services   TEXT NOT NULL,
    note       TEXT,
    created_at INTEGER NOT NULL
  ) STRICT;

  -- The last known good addresses of every host name that is tracked, a JSON array.
  CREATE TABLE resolved (
    name          TEXT PRIMARY KEY NOT NULL,
    addresses     TEXT NOT NULL,
    resolved_at   INTEGER,
    missing_since INTEGER
  ) STRICT;
  `,
];

export function schemaVersion(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/**
 * Brings a database to the newest version, one transaction a step: broken off anywhere, it goes on from there the next time.
 * @throws StoreFault SP_STORE_NEWER where a newer program has written it
 */
export function migrate(db: Database, file: string, migrations: readonly string[] = MIGRATIONS): void {
  const found = schemaVersion(db);
  if (found > migrations.length) {
    throw new StoreFault('SP_STORE_NEWER', { file, found, known: migrations.length });
  }
  for (const [index, step] of migrations.entries()) {
    if (index < found) continue;
    const run = db.transaction(() => {
      db.exec(step);
      db.pragma(`user_version = ${index + 1}`);
    });
    run.immediate();
  }
}
