import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL, EVERYTHING, SERVICE_NAME, type ServiceName, toScope } from '../../src/core/service.ts';
import { LARGEST_SEQUENCE_ID, parseUserName } from '../../src/core/user.ts';
import { errorOf, service } from '../support/core-arbitraries.ts';

const KNOWN: ReadonlyMap<ServiceName, []> = new Map(['ssh', 'sip', 'web'].map((name) => [service(name), []]));

describe('a scope', () => {
  it('is sorted and without repeats, however it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('ssh', 'sip', 'web'), { minLength: 1, maxLength: 6 }), (names) => {
        const scope = toScope(names, KNOWN);
        expect(scope).toEqual([...new Set(names)].sort());
        expect(toScope(scope, KNOWN)).toEqual(scope);
      }),
    );
  });

  it('is everything where "all" is among the names or none is given', () => {
    expect(toScope([], KNOWN)).toEqual(EVERYTHING);
    expect(toScope(['all'], KNOWN)).toEqual([ALL]);
    expect(toScope(['ssh', 'all', 'web'], KNOWN)).toEqual([ALL]);
  });

  it.each([['ftp'], ['ssh', 'ftp'], ['all', 'ftp'], ['SSH'], [''], ['ssh '], ['__proto__'], ['constructor']])(
    'refuses a service that is not in the configuration: %j %j',
    (...names) => {
      const error = errorOf(() => toScope(names, KNOWN));
      expect(error.code).toBe('SP_SERVICE_UNKNOWN');
      expect(error.fix).toBe('The configuration has: all, ssh, sip, web.');
    },
  );

  it('has names that can stand in the names of sets and chains', () => {
    for (const name of ['ssh', 'a', 'sip-tls', 'rtp_2', 'x'.repeat(24)]) expect(name).toMatch(SERVICE_NAME);
    for (const name of ['', 'SSH', '2ssh', '-a', '_a', 'a b', 'a\n', 'a"', 'a;', 'a{', 'ä', 'x'.repeat(25)]) {
      expect(name).not.toMatch(SERVICE_NAME);
    }
  });
});

describe('a user name', () => {
  it.each(['a', 'Anna', '0', 'a.b-c_d', 'x'.repeat(32), '1001'])('may be %s', (name) => {
    expect(parseUserName(name)).toBe(name);
  });

  it.each([
    '',
    ' ',
    'a b',
    '.a',
    '-a',
    '_a',
    'x'.repeat(33),
    'anna\n',
    'anna\u001b[31m',
    'ännä',
    'a/b',
    'a@b',
    '--help',
  ])('may not be %j, and the refusal is fit for a terminal', (name) => {
    const error = errorOf(() => parseUserName(name));
    expect(error.code).toBe('SP_NAME_INVALID');
    expect(error.toLine()).not.toMatch(/\p{Cc}/u);
  });
});

it('the largest id of a sequence leaves room for its depth and the final bit in 32 bits', () => {
  expect(LARGEST_SEQUENCE_ID * 8 + 7).toBe(2 ** 31 - 1);
});
