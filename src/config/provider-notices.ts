import type { Entry } from '../core/entry.js';
import type { HostName } from '../core/names/host-name.js';
import { type Catalogue, leftoversIn, type ProviderName } from '../core/provider.js';
import { nearest } from './suggest.js';

/** Who is enabled, and what else is let in. */
export interface ProviderUse {
  readonly configured: readonly ProviderName[];
  readonly byCommand: readonly ProviderName[];
  readonly entries: readonly Entry[];
  /** The host names that are tracked. */
  readonly names: readonly HostName[];
}

/** What a person should know about the providers of a host: plain remarks, one line each. */
export function providerNotices(catalogue: Catalogue, use: ProviderUse): string[] {
  const { configured, byCommand, entries, names } = use;
  return [
    ...configured.flatMap((name) =>
      withoutEffect(catalogue, name).map((why) => `trusted.providers: ${why}; mend or drop the line`),
    ),
    ...byCommand
      .filter((name) => !configured.includes(name))
      .flatMap((name) =>
        withoutEffect(catalogue, name).map((why) => `provider: ${why}; drop it: sallyport provider disable ${name}`),
      ),
    ...leftoversIn(catalogue, entries, names).map(({ provider: { name, retired }, by }) => {
      const [what, mend] = typeof by === 'string' ? [by, `take it out`] : [by.target, mendOf(by)];
      return `${what} still lets in ${name}, which is retired since ${retired.since} (${retired.why}); ${mend}`;
    }),
  ];
}

/** Who was probably meant by the name of a provider that there is not, in brackets; empty where nobody was. */
export function likelyProvider(catalogue: Catalogue, name: string): string {
  const near = nearest(name, [...catalogue.keys()]);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

/** Why an enabled provider lets nobody in; empty where it does. */
function withoutEffect(catalogue: Catalogue, name: ProviderName): string[] {
  const provider = catalogue.get(name);
  if (provider === undefined) {
    return [`no catalogue has a provider ${name}${likelyProvider(catalogue, name)}, so it lets nobody in`];
  }
  if (provider.retired === null) return [];
  const { since, why } = provider.retired;
  return [`${name} is retired since ${since} (${why}), so it lets nobody in`];
}

function mendOf({ target, source }: Entry): string {
  if (source === 'config') return 'take it out of trusted.addresses';
  if (source === 'provider') return 'take it out of your catalogue';
  return `take it out: sallyport revoke ${target}`;
}
