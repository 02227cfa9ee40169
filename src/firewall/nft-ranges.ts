import { type Family, parseAddress, parseTarget, rangeOf } from '../core/address.js';
import type { GuardShape, KernelRange, SetScope } from '../core/firewall.js';
import { seconds } from '../core/time.js';
import { entrySet, FAMILIES, rangeSet } from './names.js';
import { type ListedElement, readSet } from './nft-elements.js';
import { generationsOf, setScopes } from './ruleset.js';

/** The contents of the interval sets, through the nft program: one process for each set. */
export async function readRanges(shape: GuardShape): Promise<KernelRange[]> {
  const { all } = setScopes(shape);
  const found: KernelRange[] = [];
  const read = async (holds: KernelRange['holds'], scope: SetScope, set: string, family: Family) => {
    for (const { value, expires } of await readSet('set', set)) {
      const remaining = expires === undefined ? null : seconds(Math.max(expires, 0.001));
      found.push({ ...boundsOf(value, family), scope, holds, remaining });
    }
  };
  for (const family of FAMILIES) {
    for (const { scopes, prefix } of generationsOf(shape)) {
      const holds = prefix === '' ? 'entry' : 'previous entry';
      for (const scope of scopes) await read(holds, scope, entrySet(scope, family, prefix), family);
    }
    for (const scope of all) await read('grant', scope, rangeSet(scope, family), family);
  }
  return found;
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
