import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drawPairingCode,
  encodePairing,
  formatPairingCode,
  looksLikePairing,
  PAIRING_PREFIX,
  type PairingCode,
  parsePairing,
} from '../../src/core/pairing.ts';
import { randomInt } from '../support/core-arbitraries.ts';

const code = fc.integer({ min: 0, max: 999_999 }).map((n) => String(n).padStart(6, '0') as PairingCode);

describe('a pairing code', () => {
  it('is six digits, whatever is drawn', () => {
    fc.assert(fc.property(randomInt, (random) => void expect(drawPairingCode(random)).toMatch(/^\d{6}$/)));
    expect(drawPairingCode(() => 0)).toBe('000000');
    expect(drawPairingCode((bound) => bound - 1)).toBe('999999');
  });

  it('is read out in two threes', () => {
    expect(formatPairingCode('402913' as PairingCode)).toBe('402 913');
  });
});

describe('the payload of a knock', () => {
  it('carries every code there and back', () => {
    fc.assert(
      fc.property(code, (one) => {
        expect(encodePairing(one)).toHaveLength(9);
        expect(parsePairing(encodePairing(one))).toBe(one);
      }),
    );
    for (const one of ['000000', '999999', '065536']) expect(parsePairing(encodePairing(one as PairingCode))).toBe(one);
  });

  it('has the form that is written down, for whoever writes another client', () => {
    const bytes = encodePairing('402913' as PairingCode);
    expect(Buffer.from(bytes).toString('hex')).toBe('c75350a3010625e17a');
  });

  it('of other programs, or of random bytes, is no code', () => {
    const texts = [
      '',
      '\n',
      'hello',
      'SP402913',
      '402913',
      '\u0007SP\u0003\u0001ABCD',
      'x'.repeat(9),
      'x'.repeat(1500),
    ];
    for (const text of texts) expect(parsePairing(new TextEncoder().encode(text))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void expect(parsePairing(bytes)).toBeUndefined()),
      { numRuns: 20_000 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 9, maxLength: 9 }),
        (bytes) => void expect(parsePairing(bytes)).toBeUndefined(),
      ),
      { numRuns: 20_000 },
    );
  });

  it('that a text makes is no code, in whatever letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => {
        expect(looksLikePairing(new TextEncoder().encode(text))).toBe(false);
      }),
    );
    const strict = new TextDecoder('utf-8', { fatal: true });
    expect(() => strict.decode(Uint8Array.from(PAIRING_PREFIX))).toThrow(TypeError);
  });

  it('that is damaged, too short or too long is no code', () => {
    const index = fc.integer({ min: 0, max: 8 });
    fc.assert(
      fc.property(code, index, fc.integer({ min: 1, max: 255 }), (one, at, change) => {
        const bytes = encodePairing(one);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(parsePairing(bytes)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(code, fc.uint8Array({ minLength: 1, maxLength: 9 }), (one, more) => {
        const bytes = encodePairing(one);
        expect(parsePairing(Uint8Array.from([...bytes, ...more]))).toBeUndefined();
        expect(parsePairing(bytes.subarray(0, 9 - more.length))).toBeUndefined();
      }),
    );
  });

  it('with a number above all codes is none, though its check byte is right', () => {
    const number = fc.integer({ min: 1_000_000, max: 0xff_ff_ff });
    fc.assert(
      fc.property(
        number,
        (one) => void expect(parsePairing(encodePairing(String(one) as PairingCode))).toBeUndefined(),
      ),
    );
  });

  it('is looked for by its length and beginning alone, as the kernel does', () => {
    const bytes = encodePairing('402913' as PairingCode);
    bytes[8] = (bytes[8] ?? 0) ^ 1;
    expect([looksLikePairing(bytes), parsePairing(bytes)]).toEqual([true, undefined]);
    expect(looksLikePairing(bytes.subarray(0, 8))).toBe(false);
  });
});
