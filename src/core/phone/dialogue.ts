import type { Address, Target } from '../address.js';
import type { GrantId } from '../grants/grant.js';
import type { ServiceName } from '../service.js';
import type { Duration } from '../time.js';
import type { Digit } from './link.js';
import type { Prompt } from './prompts.js';

/** What would be opened, or was. */
export interface Offer {
  readonly target: Target;
  /** `all` for everything that is guarded. */
  readonly services: readonly ServiceName[];
  readonly ttl: Duration;
}

/** What is open for an account. */
export interface OpenGrant {
  readonly id: GrantId;
  readonly target: Target;
  readonly remaining: Duration;
}

/** What waits for a yes of a user: a `request` that a yes is enough for, else one that takes its `code`, else `nothing`. */
export type Waiting = 'request' | 'code' | 'nothing';

/** What happens to a menu. Each answer belongs to the effect before it; at most one effect waits for its answer. */
export type MenuEvent =
  | { readonly kind: 'began' }
  | { readonly kind: 'digit'; readonly digit: Digit }
  /** The prompts asked for last were heard to their end. */
  | { readonly kind: 'played' }
  /** Nothing was pressed for as long as `listen` said. */
  | { readonly kind: 'silence' }
  /** The call has lasted long enough. */
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'hung-up' }
  /** Answers to `verify`. `needsClaim`: this user has an approval, and may let in only what has asked for it. */
  | { readonly kind: 'verified'; readonly waiting: Waiting; readonly needsClaim: boolean }
  /** `isLast`: no more tries in this call. The same for an unknown account, a wrong PIN and one that is locked out. */
  | { readonly kind: 'denied'; readonly isLast: boolean }
  /** Answers to `propose` and `find-claim`. */
  | { readonly kind: 'proposed'; readonly offer: Offer }
  /** The address may not be let in, or not by this user without a claim. */
  | { readonly kind: 'unfit' }
  | { readonly kind: 'no-claim' }
  /** Answers to `grant`; `failed` to any other question, too. */
  | { readonly kind: 'granted'; readonly ttl: Duration }
  /** Answers to anything: it could not be found out, or done. */
  | { readonly kind: 'failed' }
  /** Answers to `list-open`, `close` and `report`. */
  | { readonly kind: 'open'; readonly grants: readonly OpenGrant[] }
  | { readonly kind: 'closed' };

/** What a menu asks for. */
export type MenuEffect =
  /** In place of whatever plays; `played` follows unless a digit comes first. */
  | { readonly kind: 'play'; readonly prompts: readonly Prompt[] }
  /** `silence` follows if nothing is pressed for so long; a later `listen`, or `play`, takes its place. */
  | { readonly kind: 'listen'; readonly wait: Duration }
  /** The account is empty where the gateway has rung, and knows whom. */
  | { readonly kind: 'verify'; readonly account: string; readonly pin: string }
  /** May this address be let in? */
  | { readonly kind: 'propose'; readonly address: Address }
  /** The claim of this user with that pairing code; with null, the one that waits for a yes. */
  | { readonly kind: 'find-claim'; readonly code: string | null }
  /** Opens what was proposed last. */
  | { readonly kind: 'grant' }
  | { readonly kind: 'list-open' }
  | { readonly kind: 'close'; readonly id: GrantId }
  /** Who was rung knows nothing of it. */
  | { readonly kind: 'report' }
  | { readonly kind: 'hang-up' };

/** One call's menu. Pure: each event gives what is to be done, in order. */
export interface Dialogue {
  handle(event: MenuEvent): readonly MenuEffect[];
}
