import { type Family, parseAddress, parseTarget, rangeOf } from '../core/address.js';
import type { KernelRange, RangeContents } from '../core/firewall.js';
import { type Clock, seconds } from '../core/time.js';
import { renderRanges } from './contents.js';
import { intervalSets } from './interval-sets.js';
import { type ListedElement, readSet } from './nft-elements.js';
import { nftLoad, type OnStarted } from './nft-program.js';
import type { Placement } from './placement.js';
import type { Ranges } from './ranges.js';

/** Interval sets through the nft program, written whole each time and read by a process for each. */
export class NftRanges implements Ranges {
  readonly #clock: Clock;
  readonly #onStarted: OnStarted;

  constructor(options: { clock: Clock; onStarted: OnStarted }) {
    this.#clock = options.clock;
    this.#onStarted = options.onStarted;
  }

  forget(): void {}

  write(placement: Placement, ranges: RangeContents): Promise<void> {
    return nftLoad(renderRanges(placement, ranges, this.#clock), this.#onStarted);
  }

  async read(placement: Placement): Promise<KernelRange[]> {
    const found: KernelRange[] = [];
    for (const { set, family, scope, holds } of intervalSets(placement)) {
      for (const { value, expires } of await readSet('set', set)) {
        const remaining = expires === undefined ? null : seconds(Math.max(expires, 0.001));
        found.push({ ...boundsOf(value, family), scope, holds, remaining });
      }
    }
    return found;
  }
}

/** An expression of libnftables-json(5): an address, `{ prefix: { addr, len } }`, or `{ range: [first, last] }`. */
function boundsOf(value: ListedElement['value'], family: Family) {
  const { prefix, range } = (typeof value === 'object' ? value : {}) as {
    prefix?: { addr: string; len: number };
    range?: [string, string];
  };
  if (prefix !== undefined) return rangeOf(parseTarget(`${prefix.addr}/${prefix.len}`));
  const [first, last] = range ?? [String(value), String(value)];
  return { family, first: rangeOf(parseAddress(first)).first, last: rangeOf(parseAddress(last)).last };
}
