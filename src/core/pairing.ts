import type { Brand } from './brand.js';
import type { RandomInt } from './sequence.js';

/**
 * The code by which a user confirms on the phone that a knock was theirs: six digits, leading zeros and all. No secret, since
 * it is sent in the clear: it tells one claim from another, and without the PIN it opens nothing.
 */
export type PairingCode = Brand<string, 'PairingCode'>;

const CODES = 1_000_000;

/** Any code, each as likely as another. */
export function drawPairingCode(random: RandomInt): PairingCode {
  return String(random(CODES)).padStart(6, '0') as PairingCode;
}

/** For people: `402 913`. */
export function formatPairingCode(code: PairingCode): string {
  return `${code.slice(0, 3)} ${code.slice(3)}`;
}

/*
 * What the last packet of a knock carries:
 *
 *   0                           4         5                    8       9
 *   +------+------+------+------+---------+------+------+------+-------+
 *   | 0xc7 | 'S'  | 'P'  | 0xa3 | version | code, a number     | CRC-8 |
 *   +------+------+------+------+---------+------+------+------+-------+
 *
 * The first byte is neither ASCII nor the beginning of a UTF-8 text that goes on like this, so that no text passes for one.
 */

/** How a payload with a code begins, version and all. By that, and by its length, the rules in the kernel know it. */
export const PAIRING_PREFIX: readonly number[] = [0xc7, 0x53, 0x50, 0xa3, 1];
export const PAIRING_BYTES = 9;

/** The payload that carries a code. */
export function encodePairing(code: PairingCode): Uint8Array {
  const number = Number(code);
  const bytes = Uint8Array.from([...PAIRING_PREFIX, number >> 16, (number >> 8) & 0xff, number & 0xff, 0]);
  bytes[PAIRING_BYTES - 1] = checkByte(bytes);
  return bytes;
}

/** The code that a payload carries; undefined where it carries none, or it is damaged. */
export function parsePairing(payload: Uint8Array): PairingCode | undefined {
  if (!looksLikePairing(payload) || payload[PAIRING_BYTES - 1] !== checkByte(payload)) return undefined;
  const [high = 0, middle = 0, low = 0] = payload.subarray(PAIRING_PREFIX.length);
  const number = (high << 16) | (middle << 8) | low;
  return number < CODES ? (String(number).padStart(6, '0') as PairingCode) : undefined;
}

/** Whether a payload has the length and beginning of one with a code: that is what the rules in the kernel see of it. */
export function looksLikePairing(payload: Uint8Array): boolean {
  return payload.length === PAIRING_BYTES && PAIRING_PREFIX.every((byte, i) => payload[i] === byte);
}

/** CRC-8 of all before the last byte: polynomial 0x07, from 0 (as in SMBus's PEC). */
function checkByte(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes.subarray(0, PAIRING_BYTES - 1)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : ((crc << 1) ^ 0x07) & 0xff;
  }
  return crc;
}
