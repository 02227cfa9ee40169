import { parseTarget, type Target } from './address.js';
import type { Entry } from './entry.js';
import type { GuardLayout, LayoutRules } from './firewall.js';
import { type HostName, parseHostName } from './names/host-name.js';
import type { NameEntry } from './names/name-entry.js';
import { formatPortRange, type PortRange, parsePortRange } from './ports.js';
import type { ProviderName } from './provider.js';
import type { Scope, ServiceName, Services } from './service.js';
import type { Instant } from './time.js';

/** Somebody whom the configuration lets in. */
export interface RuledEntry {
  readonly target: Target;
  readonly services: Scope;
  readonly note: string | null;
}

/** A host name whose addresses the configuration lets in. */
export interface RuledName {
  readonly name: HostName;
  readonly services: Scope;
  readonly note: string | null;
}

/**
 * What of a configuration decides who is in: it can be compared, applied while the gateway runs, kept, and come back to.
 * All else is read at the start of the gateway alone.
 */
export interface GuardRules extends LayoutRules {
  /** All services, closed or not. */
  readonly services: Services;
  readonly entries: readonly RuledEntry[];
  readonly names: readonly RuledName[];
  readonly providers: readonly ProviderName[];
}

/** The shape of a guard with these rules in it. */
export function withRules(layout: Omit<GuardLayout, keyof LayoutRules>, rules: GuardRules): GuardLayout {
  const { policy, guarded, onExpiry, trustedInterfaces, forwardFrom, openPorts } = rules;
  return { ...layout, policy, guarded, onExpiry, trustedInterfaces, forwardFrom, openPorts };
}

/** The entries that rules make. */
export function entriesOf({ entries }: Pick<GuardRules, 'entries'>): Entry[] {
  return entries.map(({ target, services, note }, index) => ({
    id: `config-${index + 1}`,
    target,
    services,
    note,
    source: 'config',
    createdAt: 0 as Instant,
  }));
}

/** The host names that rules let in. */
export function namesOf({ names }: Pick<GuardRules, 'names'>): NameEntry[] {
  return names.map(({ name, services, note }, index) => ({
    id: `config-name-${index + 1}`,
    name,
    services,
    note,
    source: 'config',
    createdAt: 0 as Instant,
  }));
}

type WrittenServices = readonly (readonly [string, readonly string[]])[];

/** Rules as JSON can hold them. */
export interface WrittenRules extends Omit<GuardRules, 'guarded' | 'services' | 'openPorts'> {
  readonly guarded: WrittenServices;
  readonly services: WrittenServices;
  readonly openPorts: readonly string[];
}

/** The same rules are always written alike. */
export function writeRules(rules: GuardRules): WrittenRules {
  const { policy, onExpiry, trustedInterfaces, forwardFrom, openPorts, entries, names, providers } = rules;
  return {
    policy,
    guarded: writeServices(rules.guarded),
    onExpiry,
    trustedInterfaces,
    forwardFrom,
    openPorts: openPorts.map(formatPortRange),
    services: writeServices(rules.services),
    entries: entries.map(({ target, services, note }) => ({ target, services, note })),
    names: names.map(({ name, services, note }) => ({ name, services, note })),
    providers,
  };
}

/** What was written. @throws where it was not written by us */
export function readRules(written: WrittenRules): GuardRules {
  const { guarded, services, openPorts, entries, names } = written;
  return {
    ...written,
    guarded: readServices(guarded),
    services: readServices(services),
    openPorts: openPorts.map(parsePortRange),
    entries: entries.map((entry) => ({ ...entry, target: parseTarget(entry.target) })),
    names: names.map((one) => ({ ...one, name: parseHostName(one.name) })),
  };
}

function writeServices(services: Services): WrittenServices {
  return [...services].map(([name, ranges]) => [name, ranges.map(formatPortRange)]);
}

function readServices(written: WrittenServices): Map<ServiceName, readonly PortRange[]> {
  return new Map(written.map(([name, ranges]) => [name as ServiceName, ranges.map(parsePortRange)]));
}
