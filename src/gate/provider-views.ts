import type { ProviderDetails, ProviderView } from '../control/contract/gateway.js';
import type { Address } from '../core/address.js';
import type { GuardLayout } from '../core/firewall.js';
import { formatPortRange } from '../core/ports.js';
import { type Opening, openingsOf, PROVIDER_SCOPE, type Provider, type ProviderName } from '../core/provider.js';
import { type Instant, toIso } from '../core/time.js';

/** How a tracked name stands. */
export interface NameStanding {
  readonly condition: NonNullable<ProviderDetails['hosts'][number]['state']>;
  /** What is let in for its sake. */
  readonly addresses: readonly Address[];
  /** What is wrong, in words for people. */
  readonly problems: readonly string[];
  /** When it was last answered for. */
  readonly resolvedAt: Instant | null;
}

/** A provider, and how things are with it here. */
export interface ProviderStanding {
  readonly provider: Provider;
  /** What has enabled it. */
  readonly by: ProviderView['by'];
  /** How its names stand; undefined for one that is not tracked. */
  readonly nameStanding: (name: string) => NameStanding | undefined;
}

/** There is no such name, for a while or for good. */
const GONE: ReadonlySet<NameStanding['condition']> = new Set(['missing', 'dropped']);

export function viewProvider(standing: ProviderStanding): ProviderView {
  const { provider, by, nameStanding } = standing;
  const { name, title, retired, source } = provider;
  const { names, targets } = openingsOf(provider);
  const isEnabled = isLetIn(standing);
  const live = isEnabled ? names.flatMap(({ host }) => nameStanding(host)?.addresses ?? []) : [];
  return {
    ...{ name, title, source, by },
    status: retired !== null ? 'retired' : isEnabled ? 'enabled' : 'off',
    names: names.length,
    networks: targets.length,
    addresses: new Set(live).size,
    problems: problemsOf(standing),
  };
}

/** @param ports what there are sets for: the closed ports of this host */
export function viewProviderDetails(standing: ProviderStanding, ports: GuardLayout['guarded']): ProviderDetails {
  const { provider } = standing;
  const { names, targets } = openingsOf(provider);
  return {
    ...viewProvider(standing),
    hosts: [
      ...names.map((opening) => viewHost(opening, isLetIn(standing) ? standing.nameStanding(opening.host) : undefined)),
      ...targets.map((opening) => viewHost(opening, undefined)),
    ],
    ports: protocolsOf(provider).map((protocol) => ({
      service: PROVIDER_SCOPE[protocol],
      ports: (ports.get(PROVIDER_SCOPE[protocol]) ?? []).map(formatPortRange),
    })),
    retired: provider.retired,
  };
}

/** One that is enabled, and in no catalogue any more. */
export function viewUnknownProvider(name: ProviderName, by: ProviderView['by']): ProviderView {
  return {
    ...{ name, title: '', source: null, status: 'unknown', by },
    ...{ names: 0, networks: 0, addresses: 0, problems: ['no catalogue has it: it lets nobody in'] },
  };
}

/** That nothing of an enabled provider is left, and what to do then; null where it is not so. */
export function deadness(standing: ProviderStanding): string | null {
  const { provider, by, nameStanding } = standing;
  const { names, targets } = openingsOf(provider);
  const isGone = ({ host }: Opening<string>) => GONE.has(nameStanding(host)?.condition ?? 'pending');
  if (!isLetIn(standing) || names.length === 0 || targets.length > 0 || !names.every(isGone)) return null;
  const { name } = provider;
  const drop = by === 'config' ? 'take it out of trusted.providers' : `drop it: sallyport provider disable ${name}`;
  return `${name} seems to be gone: none of its names exists any more; ${drop}`;
}

function isLetIn({ provider, by }: ProviderStanding): boolean {
  return by !== null && provider.retired === null;
}

function problemsOf(standing: ProviderStanding): string[] {
  const { provider, by, nameStanding } = standing;
  if (by === null) return [];
  if (provider.retired !== null)
    return [`it is enabled, but retired since ${provider.retired.since}: it lets nobody in`];
  const dead = deadness(standing);
  if (dead !== null) return [dead];
  return openingsOf(provider).names.flatMap(({ host }) =>
    (nameStanding(host)?.problems ?? []).map((problem) => `${host}: ${problem}`),
  );
}

function viewHost({ host, services }: Opening<string>, standing: NameStanding | undefined) {
  const { condition = null, addresses = [], problems = [], resolvedAt = null } = standing ?? {};
  return {
    ...{ host, services: [...services], state: condition, addresses: [...addresses], problems: [...problems] },
    resolved_at: resolvedAt === null ? null : toIso(resolvedAt),
  };
}

/** What is opened to any host of it. */
function protocolsOf({ protocols, media }: Provider) {
  const hasMedia = media.names.length + media.targets.length > 0;
  return hasMedia ? [...new Set([...protocols, 'rtp' as const])] : protocols;
}
