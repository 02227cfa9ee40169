import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Address,
  addressFromBytes,
  familyOf,
  formatAddress,
  networkTarget,
  neverAllowed,
  parseAddress,
  parseTarget,
  rangeOf,
  type Target,
} from '../../src/core/address.ts';
import { address } from '../support/core-arbitraries.ts';

describe('what may never be let in', () => {
  const nobody: ReadonlySet<Address> = new Set();
  const own = new Set([parseAddress('198.51.100.1'), parseAddress('2001:db8::1')]);
  const never = (text: string, mine = nobody) => neverAllowed(parseTarget(text), mine);

  it.each([
    ['0.0.0.0', 'the unspecified address'],
    ['0.1.2.3', 'the unspecified address'],
    ['127.0.0.1', 'a loopback address'],
    ['127.255.255.254', 'a loopback address'],
    ['224.0.0.1', 'a multicast address'],
    ['239.255.255.255', 'a multicast address'],
    ['255.255.255.255', 'the broadcast address'],
    ['240.0.0.1', 'a reserved address'],
    ['255.255.255.254', 'a reserved address'],
    ['::', 'the unspecified address'],
    ['::1', 'a loopback address'],
    ['ff02::1', 'a multicast address'],
    ['127.0.0.0/8', 'a loopback address'],
    ['126.0.0.0/7', 'a loopback address'],
    ['0.0.0.0/1', 'the unspecified address'],
    ['::/64', 'the unspecified address'],
    ['fe00::/7', 'a multicast address'],
  ])('refuses %s: it is %s', (text, reason) => {
    expect(never(text)).toBe(reason);
  });

  it.each([
    '1.0.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '223.255.255.255',
    '10.0.0.1',
    '169.254.1.1',
    '::2',
    'fe80::1',
    'feff::',
    '2001:db8::7',
    '0.0.0.0/0',
    '::/0',
    '192.0.2.0/24',
  ])('allows %s', (text) => {
    expect(never(text)).toBeUndefined();
  });

  it('refuses an IPv4-mapped address, which only a packet can bring', () => {
    const mapped = addressFromBytes(new Uint8Array([...new Array(10).fill(0), 255, 255, 203, 0, 113, 7]));
    expect(neverAllowed(mapped as Address, nobody)).toBe('an IPv4 address in IPv6 clothes');
  });

  it("refuses the host's own addresses, and not the networks that they lie in", () => {
    expect(never('198.51.100.1', own)).toBe("the host's own address");
    expect(never('2001:db8::1', own)).toBe("the host's own address");
    expect(never('198.51.100.2', own)).toBeUndefined();
    expect(never('198.51.100.0/24', own)).toBeUndefined();
    expect(never('2001:db8::/64', own)).toBeUndefined();
  });

  it('refuses an address exactly where the special ranges of RFC 6890 and RFC 4291 have it', () => {
    const list = { 4: new BlockList(), 6: new BlockList() };
    for (const [network, length] of [
      ['0.0.0.0', 8],
      ['127.0.0.0', 8],
      ['224.0.0.0', 3],
    ] as const) {
      list[4].addSubnet(network, length, 'ipv4');
    }
    for (const [network, length] of [
      ['::', 127],
      ['ff00::', 8],
      ['::ffff:0:0', 96],
    ] as const)
      list[6].addSubnet(network, length, 'ipv6');
    const special = fc.constantFrom<Target>(
      ...['0.0.0.0/7', '126.0.0.0/6', '222.0.0.0/7', '::/126', 'fe00::/7', '::fffe:0:0/95'].map(parseLoosely),
    );
    const inside = fc.tuple(special, fc.bigInt({ min: 0n, max: 1n << 128n })).map(([target, offset]) => {
      const { family, first, last } = rangeOf(target);
      return formatAddress(family, first + (offset % (last - first + 1n)));
    });
    fc.assert(
      fc.property(fc.oneof(address, inside), (one) => {
        const isSpecial = list[familyOf(one)].check(one, familyOf(one) === 4 ? 'ipv4' : 'ipv6');
        expect(neverAllowed(one, nobody) !== undefined, one).toBe(isSpecial);
      }),
      { numRuns: 1000 },
    );
  });
});

function parseLoosely(text: string): Target {
  const [one = '', length = ''] = text.split('/');
  return networkTarget(parseAddress(one), Number(length));
}
