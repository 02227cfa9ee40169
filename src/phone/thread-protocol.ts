import type { PhoneConfig } from '../config/config.js';
import type {
  Authorization,
  Call,
  CallId,
  Digit,
  PhoneHealth,
  PhoneNumber,
  RingFailure,
  Sound,
} from '../core/phone/link.js';

/*
 * What the main thread and the thread of the PBX say to each other. The libraries live in that thread with their own login and
 * no other secret; sounds and numbers go in, calls and digits come out.
 */

export type PhoneSetup =
  | { readonly driver: 'ari'; readonly ari: PhoneConfig['ari'] }
  | { readonly driver: 'ami'; readonly ami: PhoneConfig['ami'] };

export type PhoneRequest =
  | { readonly kind: 'play'; readonly call: CallId; readonly turn: number; readonly sounds: readonly Sound[] }
  | { readonly kind: 'stop-play'; readonly call: CallId; readonly turn: number }
  | { readonly kind: 'hang-up'; readonly call: CallId }
  | { readonly kind: 'ring'; readonly ring: string; readonly number: PhoneNumber }
  /** Are you there? So many reports have been read meanwhile. */
  | { readonly kind: 'ping'; readonly read: number }
  | { readonly kind: 'stop' };

export type PhoneReport =
  | { readonly kind: 'call'; readonly call: Call }
  /** `turn`: the latest that had been asked for when the digit came. */
  | { readonly kind: 'digit'; readonly call: CallId; readonly digit: Digit; readonly turn: number }
  | { readonly kind: 'played'; readonly call: CallId; readonly turn: number }
  | { readonly kind: 'hung-up'; readonly call: CallId }
  | { readonly kind: 'ring-failed'; readonly ring: string; readonly why: RingFailure }
  | { readonly kind: 'authorize'; readonly authorization: Authorization }
  | { readonly kind: 'health'; readonly state: PhoneHealth['state']; readonly detail: string | null }
  | { readonly kind: 'pong' }
  | { readonly kind: 'stopped' };
