import type { Address, Target } from '../address.js';
import type { Scope } from '../service.js';
import type { Instant } from '../time.js';
import type { HostName } from './host-name.js';

/** So many host names are tracked at most: each is asked for again and again. */
export const MOST_NAMES = 1000;

/** A host name whose addresses are let in until it is removed. Several may have the same name, with other services. */
export interface NameEntry {
  readonly id: string;
  readonly name: HostName;
  readonly services: Scope;
  readonly note: string | null;
  /** Who made it: an operator, a line of the configuration, or a provider that is switched on. */
  readonly source: 'operator' | 'config' | 'provider';
  readonly createdAt: Instant;
}

/** What is known of a name, as it is kept for the next start. */
export interface ResolvedName {
  readonly name: HostName;
  /** The last known good addresses. */
  readonly addresses: readonly Address[];
  /** When an answer was last good; null for never. */
  readonly resolvedAt: Instant | null;
  /** Since when there is no such name; null where there is. */
  readonly missingSince: Instant | null;
}

/** An address that a name lets in. */
export interface NamedTarget {
  readonly target: Target;
  readonly services: Scope;
}

/** What names let in, in the form of entries. */
export function* entriesOfNames(
  entries: Iterable<NameEntry>,
  addressesOf: (name: HostName) => readonly Address[],
): Generator<NamedTarget> {
  for (const { name, services } of entries) for (const target of addressesOf(name)) yield { target, services };
}

/** What names let in by what was kept of them. */
export function keptEntries(entries: Iterable<NameEntry>, kept: readonly ResolvedName[]) {
  const addresses = new Map(kept.map((one) => [one.name, one.addresses]));
  return entriesOfNames(entries, (name) => addresses.get(name) ?? []);
}
