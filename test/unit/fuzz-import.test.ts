import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileKind, kindOf, readFile } from '../../src/core/import/file.ts';
import { planImport } from '../../src/core/import/plan.ts';
import { whoText } from '../../src/core/import/reading.ts';
import { readWho } from '../../src/core/import/who.ts';
import { linesOf } from '../../src/core/import/words.ts';
import { parsePortRange, parsePortSpan } from '../../src/core/ports.ts';
import { hours } from '../../src/core/time.ts';
import { parseUserName } from '../../src/core/user.ts';
import { service } from '../support/core-arbitraries.ts';

const KINDS: readonly FileKind[] = ['iptables', 'account', 'knockd', 'fwknop'];

const GROUND = {
  services: new Map([[service('ssh'), [parsePortRange('tcp/22')]]]),
  pool: parsePortSpan('21000-29999'),
  protocols: ['tcp', 'udp'] as const,
  maxTtl: hours(12),
  cuts: true,
  ownAddresses: new Set<never>(),
};

/** Pieces of the four formats, so that what is drawn comes close to files. */
const piece = fc.constantFrom(
  ...'*filter COMMIT :INPUT -A -I -D -P INPUT X Y -s -d -p tcp udp icmp all -m multiport --dport --dports --sport 22 22:80 -j'.split(
    ' ',
  ),
  ...'ACCEPT DROP RETURN -g ! 10.0.0.1 10.0.0.0/8 ::1 2001:db8::/32 a.example.org 0.0.0.0/0 -i lo --comment "a \' # [0:0]'.split(
    ' ',
  ),
  ...'[a] [options] sequence = 7000,8000:udp 21300,24001,28500 start_command command iptables nft ufw %IP% cmd_timeout'.split(
    ' ',
  ),
  ...'SOURCE ANY OPEN_PORTS tcp/22 KEY FW_ACCESS_TIMEOUT REQUIRE_USERNAME %include ; && { } constructor __proto__'.split(
    ' ',
  ),
);
const line = fc.array(fc.oneof({ weight: 8, arbitrary: piece }, fc.string({ maxLength: 8 })), { maxLength: 12 });
const file = fc.oneof(
  fc.array(line, { maxLength: 20 }).map((lines) => lines.map((words) => words.join(' ')).join('\n')),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => new TextDecoder().decode(bytes)),
);

describe('any text whatever', () => {
  it('is read and planned as every kind without a throw; lines are there, targets and names can be asked for', () => {
    fc.assert(
      fc.property(file, (text) => {
        kindOf('x.iptables', text);
        const count = linesOf(text).length;
        for (const kind of KINDS) {
          const reading = readFile('x', kind, text);
          const made = planImport([{ file: 'x', kind, reading }], GROUND, { entries: [], users: [] });
          for (const { line: at, words } of made.files[0]?.lines ?? []) {
            expect(at >= 1 && at <= count && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(words)).toBe(true);
          }
          for (const { target, note } of made.entries) {
            const who = readWho(target);
            expect(who == null ? null : whoText(who)).toBe(target);
            expect(note.length > 0 && note.length <= 200 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(note)).toBe(true);
          }
          for (const { name, length } of made.users) {
            expect(parseUserName(name)).toBe(name);
            expect(length >= 3 && length <= 8).toBe(true);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it('lets nobody in by a rule that does not accept', () => {
    const rule = fc
      .array(piece, { maxLength: 10 })
      .map((words) => `-A INPUT ${words.join(' ')}`.replaceAll('ACCEPT', 'DROP'));
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 10 }), (rules) => {
        expect(readFile('x', 'iptables', rules.join('\n')).entries).toEqual([]);
      }),
    );
  });

  it('in which every line that says something gets a word', () => {
    const saying = fc.array(piece, { minLength: 1, maxLength: 8 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(saying, { minLength: 1, maxLength: 10 }), (lines) => {
        for (const kind of KINDS) {
          const reading = readFile('x', kind, lines.join('\n'));
          const told = new Set([...reading.lines, ...reading.entries, ...reading.users].map(({ line: at }) => at));
          // Blank lines and comments say nothing. The line of a SOURCE is told with the user that it makes.
          const silent = lines.flatMap((text, i) => (/^\s*(#|;|$)/.test(text) ? [i + 1] : []));
          for (let at = 1; at <= lines.length; at++)
            expect(told.has(at) || silent.includes(at), `${kind} ${at}`).toBe(true);
        }
      }),
    );
  });
});
