import type { KernelRange, RangeContents } from '../core/firewall.js';
import type { Placement } from './placement.js';

/** Access to the interval sets: over netlink (netlink-ranges.ts), or through the nft program (nft-ranges.ts). */
export interface Ranges {
  /** Brings all interval sets of a placement to these contents, in one transaction. */
  write(placement: Placement, ranges: RangeContents): Promise<void>;
  /** What was written is not to be relied on: the table is another, or somebody may have changed it. */
  forget(): void;
  /** Empty for a set that is not there. */
  read(placement: Placement): Promise<KernelRange[]>;
}
