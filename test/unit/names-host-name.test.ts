import fc from 'fast-check';
import { validate } from 'node-cron';
import { describe, expect, it } from 'vitest';
import { isCron } from '../../src/config/cron.ts';
import { isSallyportError } from '../../src/core/errors.ts';
import { parseHostName } from '../../src/core/names/host-name.ts';
import { parseTargetOrName } from '../../src/gate/target-or-name.ts';
import { anyText, errorOf } from '../support/core-arbitraries.ts';

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const lastLabel = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const name = fc.tuple(fc.array(label, { maxLength: 5 }), lastLabel).map(([head, last]) => [...head, last].join('.'));

describe('a host name', () => {
  it('is what it is in lower case, with or without the trailing dot', () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(parseHostName(text)).toBe(text);
        expect(parseHostName(`${text.toUpperCase()}.`)).toBe(text);
      }),
    );
  });

  it.each([
    ['ü.example.org', 'xn--'],
    ['раypal.example', 'xn--'],
    ['home.example.or\u212a', 'xn--'],
    ['home.example.org\u3002', 'xn--'],
    [`${'a.'.repeat(149)}ab`, 'longer than 253'],
    [`${'a'.repeat(64)}.example.org`, 'longer than 63'],
    ['1.2.3', 'number'],
    ['203.0.113.7', 'number'],
    ['home.0x7f', 'number'],
    ['home.example.1', 'number'],
    ['a_b.example.org', 'letters, digits'],
    ['-a.example.org', 'letters, digits'],
    ['a..org', 'letters, digits'],
    ['home.example.org..', 'letters, digits'],
    ['$(reboot).example.org', 'letters, digits'],
    ['home.example.org\n', 'letters, digits'],
    ['', 'empty'],
    ['.', 'empty'],
  ])('is not %j', (text, word) => {
    const error = errorOf(() => parseHostName(text));
    expect([error.code, error.usage]).toEqual(['SP_HOST_NAME_INVALID', true]);
    expect(error.message).toContain(word);
  });

  it('is refused with a coded error, whatever the text', () => {
    fc.assert(
      fc.property(anyText(300), (text) => {
        try {
          expect(parseHostName(text)).toMatch(/^[a-z0-9.-]{1,253}$/);
        } catch (error) {
          expect(isSallyportError(error, 'SP_HOST_NAME_INVALID')).toBe(true);
        }
      }),
    );
  });
});

describe('what an operator lets in', () => {
  it.each(['203.0.113.7', '203.0.113.0/28', '2001:db8::7', '2001:db8::/48'])('is the target %s', (text) => {
    expect(parseTargetOrName(text)).toEqual({ target: text });
  });

  it('is a host name where it has a dot', () => {
    expect(parseTargetOrName('Home.Example.org')).toEqual({ name: 'home.example.org' });
    expect(errorOf(() => parseTargetOrName('alice')).message).toContain('no dot');
  });

  it.each([
    ['1.2.3', 'SP_ADDRESS_INVALID'],
    ['1.2.3.4.5', 'SP_ADDRESS_INVALID'],
    ['::ffff:1.2.3.4', 'SP_ADDRESS_MAPPED'],
    ['10.0.0.1/33', 'SP_PREFIX_INVALID'],
    ['1.2.3.4-1.2.3.9', 'SP_ADDRESS_INVALID'],
    ['203.0.113.7:22', 'SP_ADDRESS_INVALID'],
    ['fe80::1%wlan0', 'SP_ADDRESS_INVALID'],
    ['home.example.org/24', 'SP_HOST_NAME_INVALID'],
    ['home.example.org:22', 'SP_HOST_NAME_INVALID'],
    ['http://home.example.org', 'SP_HOST_NAME_INVALID'],
  ])('is not %s', (text, code) => {
    expect(errorOf(() => parseTargetOrName(text)).code).toBe(code);
  });
});

describe('a schedule', () => {
  const item = fc.oneof(
    fc.constantFrom('*', '*/2', '*/10', '0', '5', '7', '1-5', '0-59/7', '0/5', '60', '5-1', '*/0', '', 'a', '1-', '99'),
    fc.integer({ min: 0, max: 70 }).map(String),
  );
  const field = fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
  const expression = fc.array(field, { minLength: 4, maxLength: 7 }).map((fields) => fields.join(' '));

  it('that is taken is one that node-cron carries out', () => {
    fc.assert(
      fc.property(expression, (text) => {
        if (isCron(text)) expect(validate(text)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['*/10 * * * *', '* * * * * *', '0 3 1,15 * 0-6', '30 */5 8-18 * * 1-5'])('may be %s', (text) => {
    expect([isCron(text), validate(text)]).toEqual([true, true]);
  });

  it.each([
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '*/0 * * * *',
    '5-1 * * * *',
    '@hourly',
  ])('is not %j', (text) => {
    expect(isCron(text)).toBe(false);
  });
});
