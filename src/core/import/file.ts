import { isAddressList, readAddressList } from './account.js';
import { readFwknop } from './fwknop.js';
import { readIptables } from './iptables.js';
import { readKnockd } from './knockd.js';
import type { LineVerdict, Reading } from './reading.js';
import { linesOf, shown } from './words.js';

/** What is read of a file at most, in bytes. */
export const LARGEST_FILE = 4 * 1024 * 1024;

/** Longer lines are no rules and no settings; what reads a line takes time that may grow faster than its length. */
const LONGEST_LINE = 10_000;

/** `account` is what Incredible PBX's add-ip and add-fqdn leave behind for one remote party. */
export type FileKind = 'iptables' | 'account' | 'knockd' | 'fwknop';

const IPTABLES =
  /^[ \t]*(\*(filter|nat|mangle|raw|security)\b|:[A-Z]+ (ACCEPT|DROP)\b|(\[\d+:\d+\] )?(sudo )?(\S{0,200}ip6?tables\S{0,16} )?(-t \w{1,16} |-w )?-[AIP] \S)/m;
const KNOCKD = /^[ \t]*(sequence|one_time_sequences|seq_timeout|start_command|\[options\])[ \t]*(=|$)/im;
const FWKNOP = /^[ \t]*(SOURCE[: \t]|%include)/m;
const SECTION = /^[ \t]*\[[^\]\r\n]+\]/m;

/** What kind of file it is, by what is in it. Undefined where it is none of those that can be read. */
export function kindOf(file: string, text: string): FileKind | undefined {
  const isAccount = file.endsWith('.iptables');
  if (SECTION.test(text) && KNOCKD.test(text)) return 'knockd';
  if (FWKNOP.test(text)) return 'fwknop';
  if (IPTABLES.test(text)) return isAccount ? 'account' : 'iptables';
  return isAddressList(text, !isAccount) ? 'account' : undefined;
}

/** Reads a file of a kind. Any text gives a reading. */
export function readFile(file: string, kind: FileKind, text: string): Reading {
  const lines = linesOf(text);
  const isLong = (line: string) => line.length > LONGEST_LINE;
  if (!lines.some(isLong)) return readLines(file, kind, text);
  const { lines: said, ...rest } = readLines(file, kind, lines.map((line) => (isLong(line) ? '' : line)).join('\n'));
  const words = `longer than ${LONGEST_LINE} characters`;
  const tooLong = lines.flatMap((line, index): LineVerdict[] =>
    isLong(line) ? [{ line: index + 1, verdict: 'not_understood', words }] : [],
  );
  return { ...rest, lines: [...said, ...tooLong] };
}

function readLines(file: string, kind: FileKind, text: string): Reading {
  if (kind === 'knockd') return readKnockd(text);
  if (kind === 'fwknop') return readFwknop(text);
  const base = shown(file.split('/').at(-1) ?? file);
  if (kind === 'iptables') return readIptables(text, (line, comment) => comment ?? `${base}, line ${line}`);
  const note = `${base.replace(/\.iptables$/, '')} (Incredible PBX)`;
  return isAddressList(text, false) ? readAddressList(text, note) : readIptables(text, () => note);
}
