import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { LEAST, SAMPLE } from '../support/config-sample.ts';

function problems(text: string): string[] {
  const result = parseConfig(text, 'f');
  return result.ok ? [] : result.problems.map(formatProblem);
}

describe('YAML as people and editors write it', () => {
  it.each([
    ['a byte order mark', `\ufeff${SAMPLE}`],
    ['CRLF', SAMPLE.replaceAll('\n', '\r\n')],
    ['a %YAML 1.2 line', `%YAML 1.2\n---\n${SAMPLE}`],
    ['a document start and end', `---\n${SAMPLE}...\n`],
    ['no newline at the end', SAMPLE.trimEnd()],
    ['tabs before comments', SAMPLE.replaceAll('  #', '\t#')],
    [
      'an anchor and its alias',
      SAMPLE.replace('[ssh, sip, web]', '&every [ssh, sip, web]').replace('[ssh]}', '*every}'),
    ],
    ['quoted keys', SAMPLE.replace('grants:', '"grants":').replace('ttl:', "'ttl':")],
    ['JSON', '{"version": 1, "services": {"ssh": ["tcp/22"]}}'],
  ])('is read with %s', (_, text) => {
    expect(problems(text)).toEqual([]);
  });

  it('has the same lines and columns with a byte order mark and CRLF', () => {
    const text = `${LEAST}grants:\n  ttl: 3x\n`;
    const [plain, odd] = [text, `\ufeff${text.replaceAll('\n', '\r\n')}`].map((each) => parseConfig(each, 'f'));
    expect(plain).toEqual(odd);
    expect(plain).toMatchObject({ ok: false, problems: [{ file: 'f', line: 5, column: 8, path: 'grants.ttl' }] });
  });

  it('keeps service names that YAML has other ideas about', () => {
    const result = parseConfig('version: 1\nservices: {null: [tcp/1], true: [tcp/2], constructor: [tcp/3]}', 'f');
    expect(result.ok && [...result.config.services.keys()]).toEqual(['null', 'true', 'constructor']);
  });
});

describe('YAML that is refused', () => {
  it.each([
    ['an empty file', '', 'f:1: the file is empty; it needs at least version: 1 and services'],
    ['only comments', '# x\n', 'f:1: the file is empty; it needs at least version: 1 and services'],
    ['only a null', '~', 'f:1: the file is empty; it needs at least version: 1 and services'],
    ['a list', '- a', 'f:1: the file must be a mapping of sections, found a list'],
    ['a word', 'hello', 'f:1: the file must be a mapping of sections, found "hello"'],
    ['a tab that indents', 'version: 1\nservices:\n\tssh: [tcp/22]\n', 'f:3: a tab cannot indent; use spaces'],
    ['a key given twice', `${LEAST}log: {}\nlog: {}\n`, 'f:5 log: the key is given twice (first in line 4)'],
    [
      'a service given twice',
      `${LEAST}  ssh: [tcp/23]\n`,
      'f:4 services.ssh: the key is given twice (first in line 3)',
    ],
    ['a second document', `${LEAST}---\n${LEAST}`, 'f:4: there must be one document only; remove the second ---'],
    ['YAML 1.1', `%YAML 1.1\n---\n${LEAST}`, 'f:1: only YAML 1.2 is read; leave the %YAML line out'],
    ['a tag', `${LEAST}log: !x {}\n`, 'f:4: tags are not used here; put text that begins with ! in quotes'],
    ['__proto__', `${LEAST}__proto__: {}\n`, 'f:4: "__proto__" cannot be a key'],
    ['a list as a key', `${LEAST}? [a]\n: 1\n`, 'f:4: a key must be a plain word'],
    ['an alias of nothing', `${LEAST}log: *x\n`, 'f:4 log: this alias has no anchor before it'],
    [
      'an alias that holds itself',
      'version: 1\nservices: &a\n  ssh: *a\n',
      'f:3 services.ssh: this alias contains itself',
    ],
    [
      'an octal number',
      `${LEAST}phone: {ami: {port: 0o17}}`,
      'f:4 phone.ami.port: 0o17 is not a plain decimal number; where text is meant, put it in quotes',
    ],
    [
      'a leading zero',
      `${LEAST}phone: {extension: 0864}`,
      'f:4 phone.extension: 0864 is not a plain decimal number; where text is meant, put it in quotes',
    ],
  ])('is %s', (_, text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });

  it('is a merge key', () => {
    expect(problems(`${LEAST}<<: {log: {}}\n`)).toEqual([expect.stringContaining('f:4 <<: unknown key "<<"')]);
  });

  it('is a file over 1 MB, without looking into it', () => {
    const text = `${LEAST}#${'x'.repeat(10 * 1_048_576)}`;
    expect(problems(text)).toEqual(['f:1: the file is larger than 1 MB; that is not a configuration']);
  });

  it('is aliases of aliases that unfold to billions', () => {
    let bomb = `${LEAST}a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n`;
    for (let level = 1; level < 12; level++) {
      bomb += `a${level}: &a${level} [${new Array(10).fill(`*a${level - 1}`).join(', ')}]\n`;
    }
    expect(problems(bomb)).toEqual([expect.stringContaining('its aliases unfold to too much')]);
  });

  it.each(['[', '{a: ', '- ', '? ', '{'])('is "%s" nested thousands deep', (opening) => {
    const found = problems(opening.repeat(20_000));
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(10);
  });

  it('shows no control character of the file', () => {
    const text = `${LEAST}"\\e[31m\\u202e\\n": 1\ngrants: {ttl: "\\e]0;x\\a"}\n`;
    const found = problems(text);
    expect(found).toHaveLength(2);
    for (const line of found) expect(line).toMatch(/^[\x20-\x7e…]*$/u);
  });
});
