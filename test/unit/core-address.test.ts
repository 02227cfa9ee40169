import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { describe, expect, it } from 'vitest';
import {
  type Address,
  addressBits,
  addressBytes,
  addressFromBytes,
  covers,
  familyOf,
  formatAddress,
  isAddress,
  networkTarget,
  parseAddress,
  parseTarget,
  prefixLength,
  rangeOf,
} from '../../src/core/address.ts';
import { type ErrorCode, isSallyportError } from '../../src/core/errors.ts';
import { address, addressNumber, anyText, errorOf } from '../support/core-arbitraries.ts';

const MAPPED = new BlockList();
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6');

/** The code that a text is refused with, or what it is read as. Anything else that is thrown comes through. */
function outcome<T>(read: () => T): T | ErrorCode {
  try {
    return read();
  } catch (error) {
    if (isSallyportError(error)) return error.code;
    throw error;
  }
}

/** What Node makes of a text: our parser differs in refusing zones and IPv4-mapped addresses. */
function oracle(text: string): 'address' | ErrorCode {
  const family = /[%\0]/.test(text) ? 0 : isIP(text);
  if (family === 0) return 'SP_ADDRESS_INVALID';
  return family === 6 && MAPPED.check(text, 'ipv6') ? 'SP_ADDRESS_MAPPED' : 'address';
}

/** Canonical text as the URL standard writes it, which for all but mapped addresses is that of RFC 5952. */
function canonical(text: string): string {
  return text.includes(':') ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text;
}

const nearly = fc
  .tuple(
    fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.ipV4().map((text) => `::ffff:${text}`),
    ),
    fc.nat(),
    fc.nat(2),
    fc.constantFrom('', ':', '.', '0', '00', '%', '%1', '/', 'f', 'g', ' ', '\n', '\0', '٣', '::', '-', '+', 'x'),
  )
  .map(([text, at, removed, inserted]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + inserted + text.slice(place + removed);
  });
const hostile = fc.oneof(
  nearly,
  fc.ipV4(),
  fc.ipV6(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF:::...%/ x'), maxLength: 60 }),
  anyText(50),
);

describe('reading an address', () => {
  it('takes exactly what Node calls an address, without zones and IPv4-mapped ones, whatever the text', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const read = outcome(() => parseAddress(text));
        expect(read.startsWith('SP_') ? read : 'address').toBe(oracle(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('gives the same number as another library', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        fc.pre(oracle(text) === 'address');
        const other = text.includes(':') ? new Address6(text).bigInt() : new Address4(text).bigInt();
        expect(addressBits(parseAddress(text))).toBe(other);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the canonical text, which reads back to itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), address), (text) => {
        fc.pre(oracle(text) === 'address');
        const read = parseAddress(text);
        expect(read).toBe(canonical(text));
        expect(parseAddress(read)).toBe(read);
        expect(parseTarget(text)).toBe(read);
        expect(isAddress(read)).toBe(true);
        expect(familyOf(read)).toBe(isIP(read));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    // The examples of RFC 5952: section 1 and 2.1, 2.2, 4.2.1, 4.2.2, 4.2.3, 4.3.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:0000:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:0:1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['2001:db8:0::1', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:db8::aaaa:0:0:1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:0:0:aaaa::1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:AaAa', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    // The ends.
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['0:0:1:1:1:1:0:0', '::1:1:1:1:0:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('writes %s as %s', (text, expected) => {
    expect(parseAddress(text)).toBe(expected);
  });

  it.each([
    '',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0x7f000001',
    '010.0.0.1',
    '1.2.3.04',
    '1.2.3.00',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-4',
    '1.2.3.4e0',
    '1.2.3.٤',
    '１.2.3.4',
    '::1%lo',
    'fe80::1%eth0',
    'fe80::1%25eth0',
    ':::',
    '::::',
    '1::2::3',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '00001::',
    'g::',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '::01.2.3.4',
    '[::1]',
    '1.2.3.4:22',
    '1.2.3.4/32',
    `${'0'.repeat(60)}1.2.3.4`,
  ])('refuses %j', (text) => {
    expect(outcome(() => parseAddress(text))).toBe('SP_ADDRESS_INVALID');
  });

  it.each(['::ffff:203.0.113.7', '::FFFF:cb00:7107', '0:0:0:0:0:ffff:203.0.113.7'])(
    'refuses the mapped %s and names the IPv4 address meant',
    (text) => {
      expect(() => parseAddress(text)).toThrow(
        expect.objectContaining({ code: 'SP_ADDRESS_MAPPED', fix: 'Write the plain IPv4 address 203.0.113.7.' }),
      );
    },
  );

  it('takes the neighbours of the mapped addresses for what they are', () => {
    expect(parseAddress('::fffe:ffff:ffff')).toBe('::fffe:ffff:ffff');
    expect(parseAddress('::1:0:0:0')).toBe('::1:0:0:0');
    expect(parseAddress('::203.0.113.7')).toBe('::cb00:7107');
  });
});

describe('bytes of an address', () => {
  it('are the address, both ways', () => {
    fc.assert(
      fc.property(addressNumber, ({ family, bits }) => {
        const text = formatAddress(family, bits);
        const bytes = addressBytes(text);
        expect(bytes).toHaveLength(family === 4 ? 4 : 16);
        expect(BigInt(`0x${Buffer.from(bytes).toString('hex')}`)).toBe(bits);
        expect(addressFromBytes(bytes)).toBe(text);
        expect(addressBits(text)).toBe(bits);
      }),
    );
  });

  it('give an address for any 4 or 16 of them and undefined for any other number, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const read = addressFromBytes(bytes);
        if (bytes.length !== 4 && bytes.length !== 16) expect(read).toBeUndefined();
        else expect(addressBytes(read as Address)).toEqual(bytes);
      }),
    );
    expect(addressFromBytes(new Uint8Array(4))).toBe('0.0.0.0');
    expect(addressFromBytes(new Uint8Array(16).fill(255))).toBe('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  });
});

describe('a CIDR', () => {
  const network = fc.tuple(address, fc.nat(128)).map(([one, length]) => {
    return { one, length: familyOf(one) === 4 ? length % 33 : length };
  });

  it('covers the same addresses as for the system', () => {
    fc.assert(
      fc.property(network, address, fc.nat(128), ({ one, length }, other, flipped) => {
        const outer = networkTarget(one, length);
        const list = new BlockList();
        const family = familyOf(one) === 4 ? 'ipv4' : 'ipv6';
        list.addSubnet(outer.split('/')[0] ?? '', length, family);
        const bit = 1n << BigInt(familyOf(one) === 4 ? flipped % 32 : flipped % 128);
        const near = formatAddress(familyOf(one), addressBits(one) ^ bit);
        for (const inner of [one, near, other].filter((each) => !MAPPED.check(each, 'ipv6'))) {
          const isSame = familyOf(inner) === familyOf(one);
          expect(covers(outer, inner), `${outer} ${inner}`).toBe(isSame && list.check(inner, family));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reads back to itself, knows its length and its ends', () => {
    fc.assert(
      fc.property(network, ({ one, length }) => {
        const target = networkTarget(one, length);
        fc.pre(!target.startsWith('::ffff:0:0/') && oracle(target.split('/')[0] ?? '') === 'address');
        expect(parseTarget(target)).toBe(target);
        expect(prefixLength(target)).toBe(length);
        const { family, first, last } = rangeOf(target);
        expect(family).toBe(familyOf(one));
        expect(last - first + 1n).toBe(1n << BigInt((family === 4 ? 32 : 128) - length));
        expect(first <= addressBits(one) && addressBits(one) <= last).toBe(true);
        expect(covers(target, target)).toBe(true);
      }),
    );
  });

  it('with host bits is refused, and the network meant is named', () => {
    fc.assert(
      fc.property(network, ({ one, length }) => {
        const meant = networkTarget(one, length);
        const typed = `${one}/${length}`;
        fc.pre(rangeOf(meant).first !== addressBits(one));
        expect(() => parseTarget(typed)).toThrow(
          expect.objectContaining({
            code: 'SP_PREFIX_INVALID',
            message: expect.stringContaining(`did you mean ${meant}?`),
          }),
        );
      }),
    );
    expect(errorOf(() => parseTarget('10.0.0.5/24')).toLine()).toBe(
      'SP_PREFIX_INVALID: "10.0.0.5/24" is not a CIDR: it has host bits; did you mean 10.0.0.0/24? Write it like 203.0.113.0/28 or 2001:db8::/48.',
    );
  });

  it('of one address is that address', () => {
    expect(parseTarget('203.0.113.7/32')).toBe('203.0.113.7');
    expect(parseTarget('2001:DB8::7/128')).toBe('2001:db8::7');
    expect(parseTarget('0.0.0.0/0')).toBe('0.0.0.0/0');
    expect(parseTarget('::/0')).toBe('::/0');
    expect(parseTarget('2001:0db8:0:0::/64')).toBe('2001:db8::/64');
  });

  it.each([
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/1e1',
    '10.0.0.0/8/8',
    '::/129',
    '::/0x8',
    '::/ 8',
    '10.0.0.0/٨',
  ])('refuses %s', (text) => {
    expect(outcome(() => parseTarget(text))).toBe('SP_PREFIX_INVALID');
  });

  it.each([
    ['/8', 'SP_ADDRESS_INVALID'],
    ['10/8', 'SP_ADDRESS_INVALID'],
    ['fe80::%eth0/64', 'SP_ADDRESS_INVALID'],
    ['::ffff:0:0/96', 'SP_ADDRESS_MAPPED'],
    ['::ffff:10.0.0.0/104', 'SP_ADDRESS_MAPPED'],
  ])('refuses %s with %s', (text, code) => {
    expect(outcome(() => parseTarget(text))).toBe(code);
  });

  it('never covers one of the other family', () => {
    expect(covers(parseTarget('0.0.0.0/0'), parseTarget('::'))).toBe(false);
    expect(covers(parseTarget('::/0'), parseTarget('1.2.3.4'))).toBe(false);
  });

  it('takes any text without any other error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          fc.tuple(hostile, hostile).map((both) => both.join('/')),
        ),
        (text) => {
          outcome(() => parseTarget(text));
        },
      ),
    );
  });
});
