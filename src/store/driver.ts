import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

/**
 * No one major of better-sqlite3 runs on every Node that we support: 13 needs Node-API 10 and crashes without it, 12 aborts
 * now and then where Node-API is that new. Version 13 is installed under an alias; this is the one place that chooses.
 */
const PACKAGE = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi10' : 'better-sqlite3';

export const Sqlite = createRequire(import.meta.url)(PACKAGE) as typeof BetterSqlite3;

export type Database = BetterSqlite3.Database;
export type Statement = BetterSqlite3.Statement;
