import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';
import type { Sequence } from './sequence.js';
import type { Scope } from './service.js';
import type { Duration, Instant } from './time.js';

export type UserName = Brand<string, 'UserName'>;

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
  readonly createdAt: Instant;
}

/** @throws SP_NAME_INVALID */
export function parseUserName(text: string): UserName {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(text)) throw new SallyportError('SP_NAME_INVALID', { value: text });
  return text as UserName;
}
