import type { Entry } from './entry.js';
import type { NameEntry } from './names/name-entry.js';
import { type Catalogue, type ProviderName, providedEntries, providedNames, providersOf } from './provider.js';
import { entriesOf, type GuardRules, namesOf } from './rules.js';

/** Whom others than an operator let in until removed. */
export interface Given {
  readonly entries: readonly Entry[];
  readonly names: readonly NameEntry[];
}

/**
 * Whom rules let in by themselves, and through providers.
 * @param byCommand providers that are enabled whatever the rules say
 */
export function givenBy(
  rules: Pick<GuardRules, 'entries' | 'names' | 'providers'>,
  catalogue: Catalogue,
  byCommand: Iterable<ProviderName>,
): Given {
  const providers = providersOf(catalogue, [...rules.providers, ...byCommand]);
  return {
    entries: [...entriesOf(rules), ...providedEntries(providers)],
    names: [...namesOf(rules), ...providedNames(providers)],
  };
}
