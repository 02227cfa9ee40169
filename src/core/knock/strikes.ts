import type { Target } from '../address.js';
import type { Duration } from '../time.js';

/** When a source is a nuisance: so many wrong packets within `per` of the first of them, and it is ignored for `ignoreFor`. */
export interface StrikeLimit {
  readonly wrong: number;
  readonly per: Duration;
  readonly ignoreFor: Duration;
}

/** A source whose knocks are ignored: an IPv4 address, or the /64 of an IPv6 one. */
export interface IgnoredSource {
  readonly target: Target;
  readonly remaining: Duration;
}
