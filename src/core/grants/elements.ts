import { type AddressRange, familyOf, isAddress, prefixLength, rangeOf, type Target } from '../address.js';
import type { Entry } from '../entry.js';
import type { RangeContents, SetElement, SetScope } from '../firewall.js';
import { disjointRanges, mergedRanges, type TimedRange } from '../ranges.js';
import type { ServiceName } from '../service.js';
import type { Monotonic } from '../time.js';
import { formatComment } from './comment.js';
import type { Grant } from './grant.js';

/** True for what the hash sets hold: one address, or the IPv6 network that one grant covers. All else is an interval. */
export function isHashTarget(target: Target, ipv6Prefix: 64 | 128): boolean {
  return familyOf(target) === 4 ? isAddress(target) : prefixLength(target) === ipv6Prefix;
}

/**
 * The elements that the grants of one target ask for: one a scope, each until the longest expiry of the grants that
 * share it, naming them all.
 */
export function elementsOf(target: Target, grants: readonly Grant[]): SetElement[] {
  const byScope = new Map<ServiceName, Grant[]>();
  for (const grant of grants) {
    for (const service of grant.services) byScope.set(service, [...(byScope.get(service) ?? []), grant]);
  }
  return [...byScope].map(([scope, sharing]) => ({
    scope,
    target,
    until: Math.max(...sharing.map(({ expires }) => expires)) as Monotonic,
    comment: formatComment(sharing),
  }));
}

/**
 * What the interval sets have to hold for entries and for grants of CIDRs, disjoint within each scope.
 * @param fallback the entries of the previous rules; null where there are none to come back to
 */
export function rangesOf(
  entries: Iterable<Pick<Entry, 'target' | 'services'>>,
  grants: Iterable<Pick<Grant, 'target' | 'services' | 'expires'>>,
  held: Iterable<{ readonly target: Target; readonly until: Monotonic }>,
  fallback: Iterable<Pick<Entry, 'target' | 'services'>> | null = null,
): RangeContents {
  const timed = new Map<SetScope, TimedRange[]>();
  for (const { target, services, expires } of grants) {
    for (const service of services) push(timed, service, { ...rangeOf(target), until: expires });
  }
  for (const { target, until } of held) push(timed, 'held', { ...rangeOf(target), until });
  return {
    entries: lasting(entries),
    ...(fallback === null ? {} : { fallback: lasting(fallback) }),
    grants: new Map([...timed].map(([scope, ranges]) => [scope, disjointRanges(ranges).flatMap(withEnd)])),
  };
}

function lasting(entries: Iterable<Pick<Entry, 'target' | 'services'>>): RangeContents['entries'] {
  const byScope = new Map<ServiceName, AddressRange[]>();
  for (const { target, services } of entries) {
    const range = rangeOf(target);
    for (const service of services) push(byScope, service, range);
  }
  return new Map([...byScope].map(([scope, ranges]) => [scope, mergedRanges(ranges)]));
}

function withEnd(range: TimedRange): (AddressRange & { until: Monotonic })[] {
  return range.until === null ? [] : [{ ...range, until: range.until }];
}

function push<K, T>(map: Map<K, T[]>, key: K, range: T): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [range]);
  else known.push(range);
}
