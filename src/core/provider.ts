import { coveringTargets, parseAddress, prefixLength, type Target } from './address.js';
import type { Brand } from './brand.js';
import type { Entry } from './entry.js';
import type { HostName } from './names/host-name.js';
import type { NameEntry } from './names/name-entry.js';
import type { Scope, ServiceName } from './service.js';
import type { Instant } from './time.js';

/** What `trusted.providers` and `sallyport provider` call a VoIP provider. */
export type ProviderName = Brand<string, 'ProviderName'>;

/** The form of a provider's name. */
export const PROVIDER_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** What providers speak. */
export const PROVIDER_PROTOCOLS = ['sip', 'iax', 'rtp'] as const;
export type ProviderProtocol = (typeof PROVIDER_PROTOCOLS)[number];

/**
 * What may be opened to a provider, and nothing else: scopes beside the services of the configuration. They are upper case,
 * which no service's name is, so nobody else can be given them.
 */
export const PROVIDER_SCOPE: Readonly<Record<ProviderProtocol, ServiceName>> = {
  sip: 'SIP' as ServiceName,
  iax: 'IAX' as ServiceName,
  rtp: 'RTP' as ServiceName,
};

export const PROVIDER_SCOPES: readonly ServiceName[] = Object.values(PROVIDER_SCOPE);

/** Hosts of a provider: names, which are tracked, and addresses and CIDRs. */
export interface Hosts {
  readonly names: readonly HostName[];
  readonly targets: readonly Target[];
}

/** A VoIP provider as a catalogue has it. */
export interface Provider {
  readonly name: ProviderName;
  readonly title: string;
  /** Who sends calls, and what is opened to them. */
  readonly signalling: Hosts;
  readonly protocols: readonly ProviderProtocol[];
  /** Who sends RTP and nothing else. */
  readonly media: Hosts;
  /** A retired one is never let in. */
  readonly retired: { readonly since: string; readonly why: string } | null;
  /** Whether it comes with the program, or from a catalogue of the host's own. */
  readonly source: 'shipped' | 'own';
}

/** In the order of their names. */
export type Catalogue = ReadonlyMap<ProviderName, Provider>;

/** A host, and what is opened to it. */
export interface Opening<Host> {
  readonly host: Host;
  readonly services: Scope;
}

/** What letting a provider in opens, each host once. */
export function openingsOf({ signalling, protocols, media }: Provider): {
  readonly names: readonly Opening<HostName>[];
  readonly targets: readonly Opening<Target>[];
} {
  return {
    names: openings(signalling.names, protocols, media.names),
    targets: openings(signalling.targets, protocols, media.targets),
  };
}

function openings<Host>(
  signalling: readonly Host[],
  protocols: readonly ProviderProtocol[],
  media: readonly Host[],
): Opening<Host>[] {
  const opened = new Map<Host, ProviderProtocol[]>(signalling.map((host) => [host, [...protocols]]));
  for (const host of media) opened.set(host, [...(opened.get(host) ?? []), 'rtp']);
  return [...opened].map(([host, spoken]) => ({ host, services: scopeOf(spoken) }));
}

function scopeOf(protocols: readonly ProviderProtocol[]): Scope {
  return [...new Set(protocols.map((one) => PROVIDER_SCOPE[one]))].sort();
}

/** Reads the names that `formatProviderNames` wrote; what is none is passed over. */
export function parseProviderNames(text: string | undefined): ProviderName[] {
  return (text ?? '').split(' ').filter((name): name is ProviderName => PROVIDER_NAME.test(name));
}

export function formatProviderNames(names: Iterable<ProviderName>): string {
  return [...names].join(' ');
}

/** Those that are let in when these are enabled: unknown and retired ones never are. */
export function providersOf(catalogue: Catalogue, enabled: Iterable<ProviderName>): Provider[] {
  return [...new Set(enabled)].flatMap((name) => {
    const provider = catalogue.get(name);
    return provider === undefined || provider.retired !== null ? [] : [provider];
  });
}

/** The entries for the addresses and CIDRs of providers. */
export function providedEntries(providers: readonly Provider[]): Entry[] {
  return providers.flatMap((provider) =>
    openingsOf(provider).targets.map(({ host, services }) => ({
      ...{ id: `${provider.name}:${host}`, target: host, services, note: provider.name },
      ...{ source: 'provider', createdAt: 0 as Instant },
    })),
  );
}

/** The host names of providers, which are tracked. */
export function providedNames(providers: readonly Provider[]): NameEntry[] {
  return providers.flatMap((provider) =>
    openingsOf(provider).names.map(({ host, services }) => ({
      ...{ id: `${provider.name}:${host}`, name: host, services, note: provider.name },
      ...{ source: 'provider', createdAt: 0 as Instant },
    })),
  );
}

/** What lets a host of a retired provider in. */
export interface Leftover {
  readonly provider: Provider & { readonly retired: NonNullable<Provider['retired']> };
  readonly by: Entry | HostName;
}

/**
 * What still lets retired providers in: an entry that covers an address of theirs, or a tracked name. One for everyone (/0)
 * is not for their sake.
 */
export function leftoversIn(catalogue: Catalogue, entries: readonly Entry[], names: readonly HostName[]): Leftover[] {
  return [...catalogue.values()].flatMap((provider): Leftover[] => {
    const { retired, signalling, media } = provider;
    if (retired === null) return [];
    const covering = new Set([...signalling.targets, ...media.targets].flatMap(networksAround));
    const theirs = new Set([...signalling.names, ...media.names]);
    const gone = { ...provider, retired };
    const found = [
      ...entries.filter(({ target }) => covering.has(target)),
      ...names.filter((name) => theirs.has(name)),
    ];
    return found.map((by) => ({ provider: gone, by }));
  });
}

/** A target and all networks that it lies in, but that of everyone. */
function networksAround(target: Target): Target[] {
  const length = prefixLength(target);
  const address = parseAddress(target.split('/')[0] ?? '');
  return [target, ...coveringTargets(address).filter((one) => prefixLength(one) > 0 && prefixLength(one) < length)];
}
