import { parseAddress } from '../../src/core/address.ts';
import { parseHostName } from '../../src/core/names/host-name.ts';
import type { FamilyAnswer, Lookup, LookupFailure } from '../../src/core/names/lookup.ts';
import { type Duration, minutes } from '../../src/core/time.ts';

export const HOME = parseHostName('home.example.org');

export const EMPTY: FamilyAnswer = { kind: 'empty' };
export const NXDOMAIN: FamilyAnswer = { kind: 'nxdomain' };
export const failed = (why: LookupFailure = 'timeout'): FamilyAnswer => ({ kind: 'failed', why });

/** A look-up that found these addresses, of whatever family; nothing of a family is an empty answer. */
export function found(addresses: readonly string[], ttl: Duration = minutes(5)): Lookup {
  const answer = (isSix: boolean): FamilyAnswer => {
    const mine = addresses.filter((one) => one.includes(':') === isSix).map(parseAddress);
    return mine.length === 0 ? EMPTY : { kind: 'addresses', addresses: mine, ttl };
  };
  return { 4: answer(false), 6: answer(true) };
}

/** The same for both families. */
export const both = (answer: FamilyAnswer): Lookup => ({ 4: answer, 6: answer });
