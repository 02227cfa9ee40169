import type { Entry } from './entry.js';
import type { NameEntry } from './names/name-entry.js';
import { type Catalogue, type ProviderName, providedEntries, providedNames, providersOf } from './provider.js';
import { entriesOf, type GuardRules, namesOf } from './rules.js';

/** Whom rules let in: by address, and by host name. */
export interface Whitelist {
  readonly entries: readonly Entry[];
  readonly names: readonly NameEntry[];
}

/**
 * Whom rules let in, with what providers bring.
 * @param byCommand the providers that were enabled beside those of the rules
 */
export function whitelistOf(
  rules: Pick<GuardRules, 'entries' | 'names' | 'providers'>,
  catalogue: Catalogue,
  byCommand: Iterable<ProviderName>,
): Whitelist {
  const providers = providersOf(catalogue, [...rules.providers, ...byCommand]);
  return {
    entries: [...entriesOf(rules), ...providedEntries(providers)],
    names: [...namesOf(rules), ...providedNames(providers)],
  };
}
