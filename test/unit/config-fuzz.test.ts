import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ParseResult, parseConfig } from '../../src/config/parse.ts';
import { printConfig } from '../../src/config/print.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { SAMPLE } from '../support/config-sample.ts';

/** Either a configuration that prints and reads back the same, or problems that fit on a line each, in order. */
function holds(result: ParseResult, text: string): void {
  if (result.ok) {
    expect(parseConfig(printConfig(result.config), 'again')).toEqual({ ok: true, config: result.config });
    return;
  }
  expect(result.problems.length).toBeGreaterThan(0);
  const lines = text.split(/\r\n|\n|\r/).length;
  let last = 1;
  for (const problem of result.problems) {
    expect(problem.line).toBeGreaterThanOrEqual(last);
    expect(problem.line).toBeLessThanOrEqual(lines);
    expect(problem.column).toBeGreaterThanOrEqual(1);
    expect(problem.message).not.toBe('');
    expect(formatProblem(problem)).toMatch(/^fuzz:\d+.*: .+$/u);
    expect(formatProblem(problem)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    last = problem.line;
  }
}

const check = (text: string) => holds(parseConfig(text, 'fuzz'), text);

/** Pieces that mean something to YAML or to the schema. */
const piece = fc.constantFrom(
  ...[
    '\n',
    '\r\n',
    '\t',
    ' ',
    '  ',
    ': ',
    ':',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '# ',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '!x ',
    '!!int ',
    '? ',
    '<<: ',
  ],
  ...[
    '%YAML 1.1\n',
    '---\n',
    '...\n',
    '\ufeff',
    '\0',
    '\u2028',
    '\ud800',
    '~',
    'null',
    'true',
    '0x1',
    '.inf',
    '-1',
    '1e999',
    '999999999999999999999',
  ],
  ...[
    'version',
    'services',
    'grants',
    'ttl',
    'trusted',
    'addresses',
    'all',
    'tcp/22',
    '1h',
    '192.0.2.1',
    '::1',
    '__proto__',
    'constructor',
  ],
);

it('any text gives a configuration or problems, never an error', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 300 });
});

it('any heap of YAML gives a configuration or problems, never an error', () => {
  const heap = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));
  fc.assert(fc.property(heap, check), { numRuns: 600 });
});

it('any data in the place of any value gives a configuration or problems, never an error', () => {
  const key = fc.constantFrom(
    'version',
    'services',
    'firewall',
    'trusted',
    'knock',
    'grants',
    'phone',
    'control',
    'log',
  );
  const data = fc.dictionary(key, fc.jsonValue({ maxDepth: 4 }));
  fc.assert(
    fc.property(data, (values) => check(JSON.stringify(values))),
    { numRuns: 200 },
  );
});

it('any damage to the example gives a configuration or problems, never an error', () => {
  const damage = fc.record({
    at: fc.nat(SAMPLE.length),
    remove: fc.oneof(fc.constant(0), fc.nat(12)),
    insert: fc.oneof(fc.constant(''), piece, fc.string({ unit: 'binary', maxLength: 5 })),
  });
  let [good, bad] = [0, 0];
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
      let text = SAMPLE;
      for (const { at, remove, insert } of damages) text = text.slice(0, at) + insert + text.slice(at + remove);
      const result = parseConfig(text, 'fuzz');
      if (result.ok) good++;
      else bad++;
      holds(result, text);
    }),
    { numRuns: 400 },
  );
  expect(good).toBeGreaterThan(10);
  expect(bad).toBeGreaterThan(10);
});
