import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode, isSallyportError, SallyportError } from '../../src/core/errors.ts';
import { anyText } from '../support/core-arbitraries.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];
const SOURCES = join(import.meta.dirname, '../../src');
/** What may steer a terminal, break a line, or turn text around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const placeholders = (template: string) => [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

describe('the table of errors', () => {
  it.each(CODES)('%s says in one line what is wrong, and what to do', (code) => {
    const { text, fix } = ERRORS[code];
    expect(code).toMatch(/^SP_[A-Z]+(_[A-Z]+)*$/);
    expect(text).not.toBe('');
    expect(text).not.toMatch(/[.\n]$/);
    expect(fix).toMatch(/^[A-Z\w].*\.$/);
    expect(text + fix).not.toMatch(UNPRINTABLE);
  });

  it('has no code that nothing uses', () => {
    const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith(join('core', 'errors')))
      .map((file) => readFileSync(join(SOURCES, file), 'utf8'))
      .join('\n');
    expect(sources.length).toBeGreaterThan(100_000);
    const used = new Set(sources.match(/\bSP_[A-Z_]+\b/g));
    expect(CODES.filter((code) => !used.has(code))).toEqual([]);
  });

  it('has every code of every area, each in one area only', () => {
    const areas = join(SOURCES, 'core', 'errors');
    const codes = readdirSync(areas).flatMap((file) => {
      const text = readFileSync(join(areas, file), 'utf8');
      return [...text.matchAll(/^ {2}(SP_[A-Z_]+): \{$/gm)].map(([, code]) => code);
    });
    expect(codes.sort()).toEqual([...CODES].sort());
  });
});

describe('an error', () => {
  it('lets nothing through that could steer a terminal or break a line, whatever the details', () => {
    const nasty = fc.oneof(
      anyText(20),
      fc.string({
        unit: fc.constantFrom(
          '\u001b[2J',
          '\r\n',
          '\u202e',
          '\u061c',
          '\u2066',
          '\ufeff',
          '\u0085',
          '\ud800',
          'x',
          '"',
          '😀',
        ),
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...CODES), nasty, (code, value) => {
        const { text, fix } = ERRORS[code];
        const details = Object.fromEntries(placeholders(text + fix).map((name) => [name, value]));
        const error = new SallyportError(code, details);
        expect(error.message).not.toMatch(UNPRINTABLE);
        expect(error.fix).not.toMatch(UNPRINTABLE);
        expect(error.toLine()).not.toMatch(UNPRINTABLE);
      }),
      { numRuns: 500 },
    );
  });

  it('fills in its details once: a detail that looks like a placeholder stays as it is', () => {
    const error = new SallyportError('SP_USER_EXISTS', { name: '{name}$&$1' });
    expect(error.message).toBe('there is a user "{name}$&$1" already');
    expect(error.fix).toContain('sallyport user set {name}$&$1.');
    expect(new SallyportError('SP_STORE_NEWER', { file: 'x', found: 3, known: 2 }).message).toContain('schema 3');
  });

  it('cuts a detail that is too long, and nothing else', () => {
    const cut = (length: number) => new SallyportError('SP_ADDRESS_INVALID', { value: 'x'.repeat(length) }).message;
    expect(cut(200)).toContain(`"${'x'.repeat(200)}"`);
    expect(cut(201)).toContain(`"${'x'.repeat(200)}…"`);
    const halved = new SallyportError('SP_ADDRESS_INVALID', { value: `${'x'.repeat(199)}😀` }).message;
    expect(halved).not.toMatch(/\p{Cs}/u);
  });

  it('is one line of code, text and fix for stderr', () => {
    expect(new SallyportError('SP_DURATION_INVALID', { value: '3x' }).toLine()).toBe(
      'SP_DURATION_INVALID: "3x" is not a duration. Try 90s, 15m, 8h or 2d.',
    );
    expect(new SallyportError('SP_USAGE', { problem: 'what is that?' }).toLine()).toBe(
      'SP_USAGE: what is that? Run it with --help to see how it is written.',
    );
  });

  it('keeps its cause for the log and out of its text', () => {
    const cause = new Error('disk on fire');
    const error = new SallyportError('SP_INTERNAL', {}, cause);
    expect(error.cause).toBe(cause);
    expect(error.toLine()).not.toContain('fire');
    expect('cause' in new SallyportError('SP_INTERNAL')).toBe(false);
  });

  it('is told apart from others, by code too', () => {
    const error = new SallyportError('SP_USAGE', { problem: 'x' });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('SallyportError');
    expect([error.usage, new SallyportError('SP_INTERNAL').usage]).toEqual([true, false]);
    expect(isSallyportError(error)).toBe(true);
    expect(isSallyportError(error, 'SP_USAGE')).toBe(true);
    expect(isSallyportError(error, 'SP_INTERNAL')).toBe(false);
    for (const other of [new Error('SP_USAGE'), { code: 'SP_USAGE' }, 'SP_USAGE', null, undefined]) {
      expect(isSallyportError(other)).toBe(false);
    }
  });
});
