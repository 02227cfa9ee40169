import type { Target } from './address.js';
import type { Scope } from './service.js';
import type { Instant } from './time.js';

/** So many entries are kept at most, beside those of the configuration and of providers. */
export const MOST_ENTRIES = 100_000;

/** Something that is let in until it is removed. */
export interface Entry {
  readonly id: string;
  readonly target: Target;
  readonly services: Scope;
  readonly note: string | null;
  /** Who made it: an operator, the set-up (the peer of an SSH session), a line of the configuration, or an enabled provider. */
  readonly source: 'operator' | 'setup' | 'config' | 'provider';
  readonly createdAt: Instant;
}
