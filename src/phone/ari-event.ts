/** The events of ARI that matter here, read from JSON that may be anything. */
import type { Digit } from '../core/phone/link.js';

export type AriEvent =
  | { readonly kind: 'entered'; readonly channel: AriChannel; readonly args: readonly string[] }
  | { readonly kind: 'left'; readonly channel: string }
  | { readonly kind: 'destroyed'; readonly channel: string; readonly cause: number }
  /** How it goes with a channel that is being dialled, in Asterisk's words; empty as it begins. */
  | { readonly kind: 'dialled'; readonly channel: string; readonly status: string }
  | { readonly kind: 'digit'; readonly channel: string; readonly digit: Digit }
  | { readonly kind: 'finished'; readonly playback: string }
  /** Another program has taken our application over. */
  | { readonly kind: 'replaced' };

export interface AriChannel {
  readonly id: string;
  /** Technology, endpoint and a number: `PJSIP/1001-0000002a`. */
  readonly name: string;
  readonly isUp: boolean;
  /** Digits and `+` alone. */
  readonly callerId: string | null;
  /** The application it is in, with what was handed to it. */
  readonly app: string;
  readonly appData: string;
}

const LONGEST_ID = 150;
const LONGEST_CALLER_ID = 32;

/** Undefined for whatever is not of interest, or not what it should be. */
export function readAriEvent(value: unknown): AriEvent | undefined {
  const event = object(value);
  const channel = readChannel(event.channel);
  switch (event.type) {
    case 'StasisStart':
      if (channel === undefined || !Array.isArray(event.args)) return undefined;
      return { kind: 'entered', channel, args: event.args.map(String) };
    case 'StasisEnd':
      return channel && { kind: 'left', channel: channel.id };
    case 'ChannelDestroyed':
      return channel && { kind: 'destroyed', channel: channel.id, cause: Number(event.cause) || 0 };
    case 'Dial': {
      const peer = readChannel(event.peer);
      return peer && { kind: 'dialled', channel: peer.id, status: String(event.dialstatus ?? '').slice(0, 32) };
    }
    case 'ChannelDtmfReceived':
      return channel && isDigit(event.digit) ? { kind: 'digit', channel: channel.id, digit: event.digit } : undefined;
    case 'PlaybackFinished': {
      const { id } = object(event.playback);
      return isId(id) ? { kind: 'finished', playback: id } : undefined;
    }
    case 'ApplicationReplaced':
      return { kind: 'replaced' };
    default:
      return undefined;
  }
}

/** The channels of an answer to `GET /channels`. */
export function readChannels(value: unknown): AriChannel[] {
  if (!Array.isArray(value)) return [];
  return value.map(readChannel).filter((channel) => channel !== undefined);
}

function readChannel(value: unknown): AriChannel | undefined {
  const { id, name, state, caller, dialplan } = object(value);
  if (!isId(id) || typeof name !== 'string') return undefined;
  const { app_name, app_data } = object(dialplan);
  return {
    id,
    name,
    isUp: state === 'Up',
    callerId: readCallerId(object(caller).number),
    app: typeof app_name === 'string' ? app_name : '',
    appData: typeof app_data === 'string' ? app_data : '',
  };
}

/** What is left of a caller's number without all that is no number. */
export function readCallerId(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const digits = value.replace(/[^0-9+]/g, '').slice(0, LONGEST_CALLER_ID);
  return digits === '' ? null : digits;
}

export function isDigit(value: unknown): value is Digit {
  return typeof value === 'string' && /^[0-9*#]$/.test(value);
}

/** Ids go into paths of requests. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_ID && /^[\w.:;@+-]+$/.test(value);
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
