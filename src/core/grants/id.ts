import type { RandomInt } from '../sequence.js';
import type { GrantId } from './grant.js';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Draws an id of 40 random bits that is not taken. */
export function drawGrantId(random: RandomInt, isTaken: (id: GrantId) => boolean): GrantId {
  for (;;) {
    let id = '';
    for (let rest = random(2 ** 40); id.length < 8; rest = Math.floor(rest / 32)) id += ALPHABET[rest % 32];
    if (!isTaken(id as GrantId)) return id as GrantId;
  }
}

/** Reads an id as a person types it, in either case; undefined where it is none. */
export function parseGrantId(text: string): GrantId | undefined {
  const upper = text.toUpperCase();
  return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(upper) ? (upper as GrantId) : undefined;
}
