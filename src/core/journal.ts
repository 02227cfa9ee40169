import type { Target } from './address.js';
import type { GrantId, Method } from './grants/grant.js';
import type { Scope } from './service.js';
import type { Instant } from './time.js';

/** What the journal tells of; the names are part of the contract. */
export type EventName =
  | 'grant.opened'
  | 'grant.renewed'
  | 'grant.expired'
  | 'grant.revoked'
  | 'address.shared'
  | 'attempt.refused'
  | 'strike.ignored'
  | 'claim.made'
  | 'claim.refused'
  | 'claim.unanswered'
  | 'claim.revoked'
  | 'alarm.raised'
  | 'entry.added'
  | 'entry.removed'
  | 'provider.enabled'
  | 'provider.disabled'
  | 'name.resolved'
  | 'name.moved'
  | 'name.failed'
  | 'name.recovered'
  | 'name.dropped'
  | 'user.added'
  | 'user.changed'
  | 'user.removed'
  | 'drift.repaired'
  | 'clock.stepped'
  | 'firewall.provisional'
  | 'firewall.confirmed'
  | 'firewall.reverted'
  | 'firewall.opened'
  | 'firewall.waiting'
  | 'firewall.closed'
  | 'firewall.adjusted'
  | 'daemon.started'
  | 'daemon.stopped';

/** One line of the journal: who, when, why. It holds no secret, no sequence and no digit. */
export interface JournalEvent {
  readonly at: Instant;
  readonly event: EventName;
  readonly user?: string | null;
  readonly address?: Target | null;
  readonly method?: Method | null;
  readonly services?: Scope | null;
  readonly grant?: GrantId | null;
  /** A plain English remark: a reason, a program, a duration. */
  readonly detail?: string | null;
}
