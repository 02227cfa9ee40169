import type { RandomInt } from '../../../src/core/sequence.ts';
import { seededRandom } from '../core-arbitraries.ts';

/** Chances that a seed gives again. */
export class Dice {
  readonly #random: RandomInt;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** From 0 up to, but without, the bound. */
  below(bound: number): number {
    return this.#random(bound);
  }

  /** From 1 to `most`, small ones more often. */
  few(most: number): number {
    return 1 + this.below(1 + this.below(most));
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.#random(2 ** 32);
      for (let n = i; n < Math.min(i + 4, length); n++) bytes[n] = word >>> (8 * (n - i));
    }
    return bytes;
  }
}
