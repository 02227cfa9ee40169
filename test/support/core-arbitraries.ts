import fc from 'fast-check';
import { type Address, type Family, formatAddress } from '../../src/core/address.ts';
import { isSallyportError, type SallyportError } from '../../src/core/errors.ts';
import { type PortSpan, type Protocol, toPort } from '../../src/core/ports.ts';
import { checkSequence, type Knock, type RandomInt, type Sequence } from '../../src/core/sequence.ts';
import type { ServiceName } from '../../src/core/service.ts';

/** A source of random numbers for tests: the same seed gives the same numbers (mulberry32). */
export function seededRandom(seed: number): RandomInt {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

export const randomInt: fc.Arbitrary<RandomInt> = fc.integer().map(seededRandom);

export const service = (name: string): ServiceName => name as ServiceName;
export const knock = (protocol: Protocol, port: number): Knock => ({ protocol, port: toPort(port) });
export const span = (first: number, last: number): PortSpan => ({ first: toPort(first), last: toPort(last) });

const codePoint = fc.oneof(fc.nat(0xff), fc.nat(0x2fff), fc.nat(0x10ffff));

/** Text of any code points, lone surrogates and control characters among them. (fast-check's own needs a second.) */
export const anyText = (longest: number): fc.Arbitrary<string> =>
  fc.array(codePoint, { maxLength: longest }).map((points) => String.fromCodePoint(...points));

const bits = (size: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n });

/** Bits that are mostly zeros or ones in runs of a group, as real addresses are. */
const lumpy6 = fc
  .array(fc.oneof(fc.constant(0n), fc.constant(0xffffn), fc.bigInt({ min: 0n, max: 0xffffn })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.reduce((all, group) => (all << 16n) | group, 0n));

export const addressNumber: fc.Arbitrary<{ family: Family; bits: bigint }> = fc.oneof(
  fc.record({ family: fc.constant<Family>(4), bits: bits(32) }),
  fc.record({ family: fc.constant<Family>(6), bits: fc.oneof(bits(128), lumpy6) }),
);

/** Any address; IPv4-mapped ones are left out, as no parser of ours hands them out. */
export const address: fc.Arbitrary<Address> = addressNumber
  .filter((one) => one.family === 4 || one.bits >> 32n !== 0xffffn)
  .map((one) => formatAddress(one.family, one.bits));

/** Five ports that are no neighbours, in a pool whose ends are not among them. */
const TINY_POOL = span(21000, 21010);
const TINY_PORTS = [21001, 21003, 21005, 21007, 21009];

/** Any packet to the tiny pool that may be part of a sequence. */
export const tinyKnock: fc.Arbitrary<Knock> = fc
  .tuple(fc.constantFrom<Protocol>('tcp', 'udp'), fc.constantFrom(...TINY_PORTS))
  .map(([protocol, port]) => knock(protocol, port));

const tinySequence: fc.Arbitrary<Sequence> = fc
  .tuple(fc.shuffledSubarray(TINY_PORTS, { minLength: 2, maxLength: 4 }), fc.array(fc.boolean(), { minLength: 4 }))
  .map(([ports, isUdp]) => ports.map((port, i) => knock(isUdp[i] === true ? 'udp' : 'tcp', port)));

/** Sequences that keep the rules among themselves; from so few ports that they often begin alike. */
export const tinySequences: fc.Arbitrary<Sequence[]> = fc
  .array(tinySequence, { minLength: 1, maxLength: 12 })
  .map((candidates) => keepingTheRules(candidates));

/** Those of the sequences that may stand beside the ones before them. */
export function keepingTheRules(candidates: readonly Sequence[], pool: PortSpan = TINY_POOL): Sequence[] {
  const kept: Sequence[] = [];
  for (const candidate of candidates) {
    try {
      checkSequence(candidate, pool, kept);
      kept.push(candidate);
    } catch {
      // One that begins like another.
    }
  }
  return kept;
}

/** The coded error that something throws; whatever else is thrown comes through. */
export function errorOf(run: () => unknown): SallyportError {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    if (isSallyportError(error)) return error;
    throw error;
  }
  throw new Error(`nothing was thrown; it gave ${String(result)}`);
}
