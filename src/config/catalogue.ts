import { join } from 'node:path';
import { isSallyportError, SallyportError } from '../core/errors.js';
import type { Catalogue, Hosts, Provider, ProviderName } from '../core/provider.js';
import { type CatalogueValues, catalogueSchema } from './catalogue-schema.js';
import { deepFreeze, frozenMap } from './freeze.js';
import { jsonSchemaOf } from './json-schema.js';
import { invalidConfig, readFileWith } from './load.js';
import { parseFile, type Refused } from './schema-file.js';

/** The catalogue that comes along. */
export const SHIPPED = join(import.meta.dirname, '..', '..', 'providers', 'catalogue.yaml');

const KIND = {
  what: 'a catalogue of providers',
  needs: 'version: 1 and providers',
  schema: catalogueSchema,
  described: () => jsonSchemaOf(catalogueSchema),
  mayBeEmpty: [],
  crossChecks: () => [],
};

/** Where the host's own catalogue is; null where it has none. */
type OwnCatalogue = { readonly catalogue: string | null };

/** Reads a catalogue. Never throws: gives its providers, or every problem of the text at once, in the order of its lines. */
export function parseCatalogue(
  text: string,
  file: string,
  source: Provider['source'] = 'own',
): { readonly ok: true; readonly providers: readonly Provider[] } | Refused {
  const read = parseFile(text, file, KIND);
  return read.ok ? { ok: true, providers: toProviders(read.values, source) } : read;
}

/**
 * The providers that come along, and those of the host's own file.
 * @throws SP_CATALOGUE_UNREADABLE, SP_CONFIG_INVALID with the first problem and how many more there are
 */
export async function loadCatalogue(providers: OwnCatalogue): Promise<Catalogue> {
  const read = await readCatalogue(providers);
  if (read.ok) return read.catalogue;
  throw invalidConfig(read, providers.catalogue ?? SHIPPED);
}

/** The same, for those who want every problem of the host's own file. @throws SP_CATALOGUE_UNREADABLE */
export async function readCatalogue({
  catalogue,
}: OwnCatalogue): Promise<{ readonly ok: true; readonly catalogue: Catalogue } | Refused> {
  const shipped = await read(SHIPPED, 'shipped');
  const own = catalogue === null ? undefined : await read(catalogue, 'own');
  if (!shipped.ok) return shipped;
  if (own?.ok === false) return own;
  const byName = new Map(
    [...shipped.providers, ...(own?.providers ?? [])].map((provider) => [provider.name, provider]),
  );
  return { ok: true, catalogue: frozenMap([...byName].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

async function read(file: string, source: Provider['source']): Promise<ReturnType<typeof parseCatalogue>> {
  return await readFileWith(file, (text, name) => parseCatalogue(text, name, source)).catch((error) => {
    const reason = isSallyportError(error, 'SP_CONFIG_MISSING') ? 'there is no such file' : 'it cannot be opened';
    throw new SallyportError('SP_CATALOGUE_UNREADABLE', { file, reason }, error);
  });
}

function toProviders({ providers }: CatalogueValues, source: Provider['source']): readonly Provider[] {
  return Object.entries(providers).map(([name, { title, signalling, media, protocols, retired }]) =>
    deepFreeze<Provider>({
      name: name as ProviderName,
      title,
      signalling: toHosts(signalling),
      media: toHosts(media),
      protocols: [...new Set(protocols)],
      retired: retired ?? null,
      source,
    }),
  );
}

function toHosts(hosts: CatalogueValues['providers'][ProviderName]['signalling']): Hosts {
  return {
    names: [...new Set(hosts.flatMap((one) => ('name' in one ? [one.name] : [])))],
    targets: [...new Set(hosts.flatMap((one) => ('target' in one ? [one.target] : [])))],
  };
}
