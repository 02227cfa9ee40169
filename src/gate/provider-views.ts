import type { ProviderDetails, ProviderView } from '../control/contract/gateway.js';
import type { GuardLayout } from '../core/firewall.js';
import type { HostName } from '../core/names/host-name.js';
import type { NameCondition, NameTracker } from '../core/names/tracker.js';
import { formatPortRange } from '../core/ports.js';
import { type Opening, openingsOf, PROVIDER_SCOPE, type Provider, type ProviderName } from '../core/provider.js';
import type { Clock } from '../core/time.js';
import { viewTracked } from './views.js';

/** A provider, and how things are with it here. */
export interface ProviderStanding {
  readonly provider: Provider;
  /** What has enabled it. */
  readonly by: ProviderView['by'];
  /** How its names stand; undefined for one that is not tracked. */
  readonly trackerOf: (name: HostName) => NameTracker | undefined;
}

/** There is no such name, for a while or for good. */
const GONE: ReadonlySet<NameCondition> = new Set(['missing', 'dropped']);

export function viewProvider(standing: ProviderStanding): ProviderView {
  const { provider, by, trackerOf } = standing;
  const { name, title, retired, source } = provider;
  const { names, targets } = openingsOf(provider);
  const isEnabled = isLetIn(standing);
  const live = isEnabled ? names.flatMap(({ host }) => trackerOf(host)?.addresses ?? []) : [];
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
export function viewProviderDetails(
  standing: ProviderStanding,
  ports: GuardLayout['guarded'],
  clock: Clock,
): ProviderDetails {
  const { provider, trackerOf } = standing;
  const { names, targets } = openingsOf(provider);
  return {
    ...viewProvider(standing),
    hosts: [
      ...names.map(({ host, services }) => {
        const tracker = isLetIn(standing) ? trackerOf(host) : undefined;
        return { host, services: [...services], tracked: tracker === undefined ? null : viewTracked(tracker, clock) };
      }),
      ...targets.map(({ host, services }) => ({ host, services: [...services], tracked: null })),
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
  const { provider, by, trackerOf } = standing;
  const { names, targets } = openingsOf(provider);
  const isGone = ({ host }: Opening<HostName>) => GONE.has(trackerOf(host)?.condition ?? 'pending');
  if (!isLetIn(standing) || names.length === 0 || targets.length > 0 || !names.every(isGone)) return null;
  const { name } = provider;
  const drop = by === 'config' ? 'take it out of trusted.providers' : `drop it: sallyport provider disable ${name}`;
  return `${name} seems to be gone: none of its names exists any more; ${drop}`;
}

function isLetIn({ provider, by }: ProviderStanding): boolean {
  return by !== null && provider.retired === null;
}

function problemsOf(standing: ProviderStanding): string[] {
  const { provider, by, trackerOf } = standing;
  if (by === null) return [];
  if (provider.retired !== null)
    return [`it is enabled, but retired since ${provider.retired.since}: it lets nobody in`];
  const dead = deadness(standing);
  if (dead !== null) return [dead];
  return openingsOf(provider).names.flatMap(({ host }) =>
    (trackerOf(host)?.problems ?? []).map(({ text }) => `${host}: ${text}`),
  );
}

/** What is opened to any host of it. */
function protocolsOf({ protocols, media }: Provider) {
  const hasMedia = media.names.length + media.targets.length > 0;
  return hasMedia ? [...new Set([...protocols, 'rtp' as const])] : protocols;
}
