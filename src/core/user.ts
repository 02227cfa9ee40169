import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';
import type { PhoneNumber } from './phone/link.js';
import type { Sequence } from './sequence.js';
import type { Scope } from './service.js';
import type { Duration, Instant } from './time.js';

export type UserName = Brand<string, 'UserName'>;

/**
 * Whether a knock of a user opens (`none`), or only asks for a yes: `phone`, which the user gives by calling; `callback`, for
 * which the gateway rings the user's number.
 */
export type Approval = 'none' | 'phone' | 'callback';

export const APPROVALS = ['none', 'phone', 'callback'] as const satisfies readonly Approval[];

export const DEFAULT_MAX_ADDRESSES = 5;

/** The largest id of a sequence: what fits a packet mark beside the final bit and three bits of depth (automaton.ts). */
export const LARGEST_SEQUENCE_ID = 2 ** 28 - 1;

export interface User {
  /** Never used again, not even after the user is removed. */
  readonly id: number;
  readonly name: UserName;
  readonly services: Scope;
  /** How long a grant lasts; null for the configuration's `grants.ttl`. */
  readonly ttl: Duration | null;
  /** How many addresses may be open at once; the oldest gives way. */
  readonly maxAddresses: number;
  /** The id is new for each sequence drawn, so that nothing left of an old one can match. 1 to LARGEST_SEQUENCE_ID. */
  readonly sequenceId: number;
  readonly sequence: Sequence;
  /** The account to give on the phone, digits. */
  readonly account: string | null;
  /** scrypt, in PHC form; never the digits. */
  readonly pinHash: string | null;
  readonly approval: Approval;
  /** The number to ring for a yes. */
  readonly number: PhoneNumber | null;
  readonly createdAt: Instant;
}

/** @throws SP_NAME_INVALID */
export function parseUserName(text: string): UserName {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(text)) throw new SallyportError('SP_NAME_INVALID', { value: text });
  return text as UserName;
}

/**
 * Reads a number that a PBX can dial: 2 to 24 digits, perhaps with `+` in front and `*` or `#` among them. Spaces, dots,
 * dashes, slashes and brackets are for the eye.
 * @throws SP_NUMBER_INVALID
 */
export function parsePhoneNumber(text: string): PhoneNumber {
  const number = text.replace(/[ ./()-]/g, '');
  if (!/^\+?[0-9*#]{2,24}$/.test(number)) throw new SallyportError('SP_NUMBER_INVALID', { value: text });
  return number as PhoneNumber;
}
