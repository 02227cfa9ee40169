import type { Target } from './address.js';
import type { Brand } from './brand.js';
import type { Scope, ServiceName } from './service.js';

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

/** Hosts of a provider: names, which are tracked, and addresses and CIDRs. */
export interface Hosts {
  readonly names: readonly string[];
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
  readonly names: readonly Opening<string>[];
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
