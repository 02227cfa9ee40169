import type { Family } from '../core/address.js';
import type { SetScope } from '../core/firewall.js';
import type { ServiceName } from '../core/service.js';

/*
 * The names of our objects in the kernel, in one place: what is written as text (ruleset.ts) and what is addressed over
 * netlink must be the same.
 */

export const TABLE = 'sallyport';
export const FAMILIES = [4, 6] as const;

/** The comment of the empty table that the panic command leaves: the daemon sees that a person wants it open. */
export const PANIC_COMMENT = 'sallyport: opened by panic';

/** Hash set of the live grants of a scope, or of the held addresses. */
export const grantSet = (scope: SetScope, family: Family): string => `grant_${scope}_${family}`;
/** Interval set of the live grants for CIDRs of a scope. */
export const rangeSet = (scope: SetScope, family: Family): string => `range_${scope}_${family}`;
/**
 * What stands before the names of the chains and entries of one generation of rules. Three are enough: one armed, one behind
 * it, one that is made ready to take the place of either.
 */
export const SLOTS = ['', 'b_', 'c_'] as const;
export type Slot = (typeof SLOTS)[number];
/** Interval set of the entries of a scope. */
export const entrySet = (scope: ServiceName, family: Family, slot: Slot = ''): string =>
  `${slot}entry_${scope}_${family}`;
/** How far each source has come on its way through a sequence. */
export const stateMap = (family: Family): string => `state_${family}`;
/** The mailbox: completed sequences that the daemon has not taken out yet. */
export const doneSet = (family: Family): string => `done_${family}`;
/** How many wrong packets each source has sent lately; a /64 in IPv6. */
export const strikeSet = (family: Family): string => `strikes_${family}`;
/** The sources whose knocks are ignored; a /64 in IPv6. */
export const ignoredSet = (family: Family): string => `ignored_${family}`;
/** Who was let in, each source with the time that it was. */
export const seenSet = (family: Family): string => `seen_${family}`;
/** The automaton. */
export const STEP_MAP = 'step';
/** The host's own TCP connections that are older than the guard, by their other end and their port here. */
export const begunSet = (family: Family): string => `begun_${family}`;
/** Which rules hold: an element for each family that leads to the guard, perhaps with a timeout. */
export const ACTIVE_MAP = 'active';
/** What holds where no element of `active` does: the previous rules, for good. */
export const FALLBACK_MAP = 'fallback';
