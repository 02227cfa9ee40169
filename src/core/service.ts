import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';
import type { PortRange } from './ports.js';

/** The name of a set of ports in the configuration, or `all`. */
export type ServiceName = Brand<string, 'ServiceName'>;

/** Which services a grant or an entry covers: sorted, without repeats; `[ALL]` alone for everything that is guarded. */
export type Scope = readonly ServiceName[];

export const ALL = 'all' as ServiceName;
export const EVERYTHING: Scope = [ALL];

/** The services of the configuration. */
export type Services = ReadonlyMap<ServiceName, readonly PortRange[]>;

/** The form of a service's name: it becomes part of set and chain names in nftables. */
export const SERVICE_NAME = /^[a-z][a-z0-9_-]{0,23}$/;

/** Reads the names of services as a scope. @throws SP_SERVICE_UNKNOWN */
export function toScope(names: readonly string[], known: Services): Scope {
  for (const name of names) {
    if (name !== ALL && !known.has(name as ServiceName)) {
      throw new SallyportError('SP_SERVICE_UNKNOWN', { value: name, known: ['all', ...known.keys()].join(', ') });
    }
  }
  if (names.length === 0 || names.includes(ALL)) return EVERYTHING;
  return [...new Set(names as ServiceName[])].sort();
}
