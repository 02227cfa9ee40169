import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUtmp } from '../../src/host/utmp.ts';
import { utmp } from '../support/host-machine.ts';

const SESSION = { pid: 4711, user: 'alice', host: '203.0.113.7', address: '203.0.113.7' };

describe('records of utmp', () => {
  test.each([384, 400] as const)('a session is read from records of %i bytes', (size) => {
    const bytes = utmp(
      [{ type: 2, pid: 0, user: 'reboot' }, SESSION, { type: 8, pid: 4712, address: '192.0.2.9' }],
      size,
    );
    expect(parseUtmp(bytes, 'LE')).toEqual([{ pid: 4711, user: 'alice', addresses: ['203.0.113.7', 'cb00:7107::'] }]);
  });

  test.each([384, 400] as const)('a length that fits both sizes is read by the true one, %i', (size) => {
    const records = Array.from({ length: 9600 / size }, (_, index) => ({ ...SESSION, pid: index + 1 }));
    const read = parseUtmp(utmp(records, size), 'LE');
    expect(read.map(({ pid }) => pid)).toEqual(records.map(({ pid }) => pid));
  });

  test('an IPv6 address is told from an IPv4 address with the same bytes by the host name', () => {
    const [record] = parseUtmp(utmp([{ pid: 1, host: '2001:db8::', address: '2001:db8::' }]), 'LE');
    expect(record?.addresses[0]).toBe('2001:db8::');
    const [full] = parseUtmp(utmp([{ pid: 1, address: '2001:db8::7' }]), 'LE');
    expect(full?.addresses).toEqual(['2001:db8::7']);
  });

  test('without an address in the record the host name counts where it is one', () => {
    const read = parseUtmp(
      utmp([
        { pid: 1, host: '198.51.100.4' },
        { pid: 2, host: 'home.example.org' },
        { pid: 3, host: ':0' },
      ]),
      'LE',
    );
    expect(read.map(({ addresses }) => addresses)).toEqual([['198.51.100.4'], [], []]);
  });

  test('a user name cannot carry control characters', () => {
    expect(parseUtmp(utmp([{ pid: 1, user: 'a\u001b[2Jb' }]), 'LE')[0]?.user).toBe('a?[2Jb');
  });

  test('any bytes give records or none, and never an error', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.uint8Array({ minLength: 384, maxLength: 384 }),
      fc.uint8Array({ minLength: 800, maxLength: 800 }),
    );
    fc.assert(
      fc.property(bytes, (any) => {
        expect(Array.isArray(parseUtmp(any, 'LE'))).toBe(true);
      }),
    );
  });
});
