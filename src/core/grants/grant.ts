import type { Target } from '../address.js';
import type { Brand } from '../brand.js';
import type { Scope } from '../service.js';
import type { Duration, Instant, Monotonic } from '../time.js';
import type { UserName } from '../user.js';

/** Eight characters of Crockford's base 32: short enough for several to share one kernel comment. */
export type GrantId = Brand<string, 'GrantId'>;

export type Method = 'knock' | 'spa' | 'phone' | 'cli' | 'console';

/** Something that is open until its expiry. */
export interface Grant {
  readonly id: GrantId;
  /** Null where an operator opened it without naming a user. */
  readonly user: { readonly id: number; readonly name: UserName } | null;
  readonly target: Target;
  readonly services: Scope;
  readonly method: Method;
  readonly openedAt: Instant;
  /** When it ends, on the clock that cannot be set. */
  readonly expires: Monotonic;
  /** How long it was opened for at the last opening or renewal. */
  readonly ttl: Duration;
  readonly note: string | null;
}

/** Why a grant is no more. */
export type EndReason = 'expired' | 'revoked' | 'evicted';

/** A grant as the store keeps it: both clocks, so that a clock set wrong at boot cannot lengthen it. */
export interface GrantRecord {
  readonly grant: Grant;
  /** Wall-clock expiry when last recorded. */
  readonly expiresAt: Instant;
  readonly ended: { readonly at: Instant; readonly reason: EndReason } | null;
}
