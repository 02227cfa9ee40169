import type { Address } from '../address.js';
import type { Brand } from '../brand.js';

/** A call as the link names it: the id of its channel. */
export type CallId = Brand<string, 'CallId'>;

export type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '*' | '#';

/** A sound as Asterisk names it, below its folder of sounds and without an extension: `digits/4`, `sallyport/welcome`. */
export type Sound = Brand<string, 'Sound'>;

/** A telephone number that is dialled: digits, with `+`, `*` or `#` where they are part of it. */
export type PhoneNumber = Brand<string, 'PhoneNumber'>;

/** Somebody rang, or picked up when they were rung. */
export interface Call {
  readonly id: CallId;
  /** What the caller claims to be, digits and `+` alone: a remark, never a proof. Null where there is none. */
  readonly callerId: string | null;
  /** Where a registered softphone talks from (`CHANNEL(pjsip,remote_addr)`); null for a trunk, a proxy, any other technology. */
  readonly address: Address | null;
  /** The id that `ring` was given, where it was us who rang. */
  readonly ring: string | null;
}

/** Why what a dialplan asked for by UserEvent is not done. */
export type AuthorizationFault =
  | 'no-channel'
  | 'repeated'
  | 'foreign'
  | 'both'
  | 'neither'
  | 'odd'
  | 'second-account'
  | 'no-account';

/** What an administrator's own dialplan asks for, on behalf of a caller whom it has authenticated itself. */
export type Authorization =
  | { readonly account: string; readonly address: Address }
  | { readonly fault: AuthorizationFault };

/** How a ring ended without a call. */
export type RingFailure = 'busy' | 'unanswered' | 'unreachable';

export interface PhoneHandlers {
  onCall(call: Call): void;
  onDigit(call: CallId, digit: Digit): void;
  /** What `play` of that turn asked for was heard to its end. */
  onPlayed(call: CallId, turn: number): void;
  /** The call is over, whoever ended it, or was lost with the PBX. Told once for each call. */
  onHangUp(call: CallId): void;
  onRingFailed(ring: string, why: RingFailure): void;
  /** Told only where the configuration listens to user events. */
  onAuthorize(authorization: Authorization): void;
}

export interface PhoneHealth {
  /** `refused`: the PBX does not take our login, or lacks what we need; `unreachable`: nothing answers, or it froze. */
  readonly state: 'off' | 'connecting' | 'connected' | 'refused' | 'unreachable' | 'failed';
  /** In plain words, with what to do next; null where all is well. */
  readonly detail: string | null;
  readonly calls: number;
}

/**
 * The way to the PBX. It knows nothing of accounts and addresses: it says who rings and which digits are pressed, and plays
 * sounds. Whatever happens to the PBX it goes on trying, and no call of these functions throws.
 */
export interface PhoneLink {
  /** Resolves when it has begun to try; a PBX that is not there is no error. */
  start(handlers: PhoneHandlers): Promise<void>;
  /**
   * Plays sounds one after the other in place of whatever plays. A digit stops them. `turn` rises with each call.
   * Nothing to play is heard to its end at once.
   */
  play(call: CallId, turn: number, sounds: readonly Sound[]): void;
  hangUp(call: CallId): void;
  /** Rings a number; what comes of it is told by `onCall` or `onRingFailed`, with the id. */
  ring(ring: string, number: PhoneNumber): void;
  health(): PhoneHealth;
  /** Hangs up what is left, within a bound. */
  stop(): Promise<void>;
}
