import { join } from 'node:path';
import { SallyportError } from '../core/errors.js';
import type { Catalogue, Hosts, Provider } from '../core/provider.js';
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
export async function loadCatalogue({ catalogue }: { readonly catalogue: string | null }): Promise<Catalogue> {
  const [shipped, own] = await Promise.all([
    load(SHIPPED, 'shipped'),
    catalogue === null ? [] : load(catalogue, 'own'),
  ]);
  const byName = new Map([...shipped, ...own].map((provider) => [provider.name, provider]));
  return frozenMap([...byName].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function load(file: string, source: Provider['source']): Promise<readonly Provider[]> {
  const read = await readFileWith(file, (text, name) => parseCatalogue(text, name, source)).catch((error) => {
    const reason = error instanceof SallyportError ? error.message : String(error);
    throw new SallyportError('SP_CATALOGUE_UNREADABLE', { file, reason }, error);
  });
  if (read.ok) return read.providers;
  throw invalidConfig(read, file);
}

function toProviders({ providers }: CatalogueValues, source: Provider['source']): readonly Provider[] {
  return Object.entries(providers).map(([name, { title, signalling, media, protocols, retired }]) =>
    deepFreeze<Provider>({
      name: name as Provider['name'],
      title,
      signalling: toHosts(signalling),
      media: toHosts(media),
      protocols: [...new Set(protocols)],
      retired: retired ?? null,
      source,
    }),
  );
}

function toHosts(hosts: CatalogueValues['providers'][string]['signalling']): Hosts {
  return {
    names: [...new Set(hosts.flatMap((one) => ('name' in one ? [one.name] : [])))],
    targets: [...new Set(hosts.flatMap((one) => ('target' in one ? [one.target] : [])))],
  };
}
