import type { Entry } from './entry.js';
import type { EndReason, GrantId, GrantRecord } from './grants/grant.js';
import type { EventName, JournalEvent } from './journal.js';
import type { HostName } from './names/host-name.js';
import type { NameEntry, ResolvedName } from './names/name-entry.js';
import type { Instant } from './time.js';
import type { User } from './user.js';

/** One change of what is kept. The changes of one `write` are kept together or not at all. */
export type Change =
  | { readonly kind: 'journal'; readonly event: JournalEvent }
  | { readonly kind: 'grant.put'; readonly record: GrantRecord }
  | { readonly kind: 'grant.end'; readonly id: GrantId; readonly at: Instant; readonly reason: EndReason }
  | { readonly kind: 'user.put'; readonly user: User }
  | { readonly kind: 'user.remove'; readonly id: number }
  | { readonly kind: 'entry.put'; readonly entry: Entry }
  | { readonly kind: 'entry.remove'; readonly id: string }
  | { readonly kind: 'name.put'; readonly entry: NameEntry }
  | { readonly kind: 'name.remove'; readonly id: string }
  | { readonly kind: 'resolved.put'; readonly resolved: ResolvedName }
  | { readonly kind: 'resolved.remove'; readonly name: HostName }
  | { readonly kind: 'meta'; readonly key: MetaKey; readonly value: string };

/**
 * What the daemon remembers about itself: the last id given to a user or sequence; the wall clock when it was last known
 * to run; the kernel's boot id then (monotonic times hold within one boot only); `yes` once the guard was confirmed; the
 * entries that were lately taken away (grants/departed.ts); the targets that the configuration and providers let in; the
 * providers that a command has enabled; the digest of the rules that were tried last and that nobody confirmed.
 */
export type MetaKey =
  | 'last_id'
  | 'last_alive'
  | 'boot_id'
  | 'confirmed'
  | 'departed'
  | 'configured'
  | 'providers'
  | 'declined';

export interface StoredState {
  readonly users: readonly User[];
  readonly entries: readonly Entry[];
  /** The host names that operators let in. */
  readonly names: readonly NameEntry[];
  /** What is known of every name that is tracked, whoever asked for it. */
  readonly resolved: readonly ResolvedName[];
  readonly meta: Readonly<Partial<Record<MetaKey, string>>>;
  /**
   * Grants that have not ended, then those that ended after `endedAfter`; some hundred at a time, since there may be a hundred
   * thousand. To be gone through once, or broken off: whoever reads something else waits until then.
   */
  readonly grants: AsyncIterable<readonly GrantRecord[]>;
}

export interface JournalQuery {
  /** Only events at or after this moment. */
  readonly since?: Instant;
  /** Only events with a larger number. */
  readonly afterSeq?: number;
  /** Only events of this name. */
  readonly event?: EventName;
  /** At most so many, the newest where there are more. */
  readonly limit: number;
}

export interface NumberedEvent extends JournalEvent {
  /** Rises by one with every event. */
  readonly seq: number;
}

/** Where users, entries, grants and the journal are kept. */
export interface Store {
  /** One moment of all that is kept but the journal. */
  load(endedAfter: Instant): Promise<StoredState>;
  /** Resolves when the changes are on the disk; many callers share one commit. Rejects with SP_STORE_*. */
  write(changes: readonly Change[]): Promise<void>;
  readJournal(query: JournalQuery): Promise<readonly NumberedEvent[]>;
  /** Drops journal events and ended grants older than a moment; tells how many events went. */
  prune(before: Instant): Promise<number>;
}
