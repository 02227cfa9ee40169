import type { Address, Family } from '../address.js';
import type { Duration } from '../time.js';
import type { HostName } from './host-name.js';

/** Why a question had no answer: nobody answered in time, or could be reached, or what came was a refusal or nonsense. */
export type LookupFailure = 'timeout' | 'servfail' | 'refused' | 'bad';

/** What asking for the addresses of one family came to. `empty`: there is such a name, and it has none of this family. */
export type FamilyAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly ttl: Duration }
  | { readonly kind: 'empty' }
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'failed'; readonly why: LookupFailure };

export type Lookup = Readonly<Record<Family, FamilyAnswer>>;

/** Asks the DNS. */
export interface NameResolver {
  /** All addresses of a name, within a bound of a few seconds; never rejects. */
  lookUp(name: HostName): Promise<Lookup>;
  /** Breaks off what is under way. */
  stop(): void;
}
