import type { FileKind } from '../../core/import/file.js';
import type { ImportPlan, Place, PlannedImportUser } from '../../core/import/plan.js';
import type { LineVerdict, Verdict } from '../../core/import/reading.js';
import { humanDuration } from '../../core/time.js';
import { clean, count, list } from '../text.js';
import { columns, table } from './table.js';
import type { Format, Terminal } from './terminal.js';

const KINDS: Readonly<Record<FileKind, string>> = {
  iptables: 'rules of iptables',
  account: 'an account of Incredible PBX',
  knockd: 'configuration of knockd',
  fwknop: 'access.conf of fwknop',
};

/** Longer lists are shortened, to their first rows. */
const MOST_ROWS = 40;
const FIRST_ROWS = 10;

const VERDICTS: Readonly<Record<Verdict, readonly [words: string, color: Format]>> = {
  taken: ['taken', 'green'],
  not_needed: ['not needed', 'dim'],
  not_taken: ['NOT TAKEN', 'yellow'],
  not_understood: ['NOT UNDERSTOOD', 'red'],
};

/** Every file line by line, and what would be made of them all. */
export async function renderPlan(terminal: Terminal, plan: ImportPlan): Promise<string> {
  const blocks = plan.files.map(({ file, kind, lines }) => {
    const head = `${terminal.paint('bold', clean(file))}: ${KINDS[kind]}, ${tally(lines)}`;
    const [shown, left] = shortened(lines);
    const more =
      left === 0 ? '' : `  … and ${left.toLocaleString('en')} more, taken or not needed; --json has all of them`;
    return [head, columns(shown.map((line) => row(terminal, line))), more].filter((text) => text !== '').join('\n');
  });
  if (plan.entries.length > 0) {
    const rows = plan.entries
      .slice(0, plan.entries.length > MOST_ROWS ? FIRST_ROWS : MOST_ROWS)
      .map(({ target, services, note, isPresent }) => [
        terminal.paint('bold', clean(target)),
        list(services),
        state(isPresent),
        clean(note),
      ]);
    const left = plan.entries.length - rows.length;
    const more =
      left === 0
        ? ''
        : `\n… and ${left.toLocaleString('en')} more (${newAmong(plan)} of all are new); --json has all of them`;
    blocks.push(
      `${terminal.paint('bold', 'Entries')}\n${await table(terminal, ['target', 'services', 'state', 'note'], rows)}${more}`,
    );
  }
  if (plan.users.length > 0) {
    const rows = plan.users.map((user) => [
      terminal.paint('bold', clean(user.name)),
      list(user.services),
      user.ttl === null ? 'default' : humanDuration(user.ttl),
      sequenceText(user),
      state(user.isPresent),
    ]);
    blocks.push(
      `${terminal.paint('bold', 'Users')}\n${await table(terminal, ['user', 'services', 'ttl', 'sequence', 'state'], rows)}`,
    );
  }
  return blocks.join('\n\n');
}

/** Of a long file the first lines, and all that are for a person to look at; and how many are left out. */
function shortened(lines: readonly LineVerdict[]): readonly [shown: readonly LineVerdict[], left: number] {
  if (lines.length <= MOST_ROWS) return [lines, 0];
  const shown = lines.filter(
    ({ verdict }, index) => index < FIRST_ROWS || verdict === 'not_taken' || verdict === 'not_understood',
  );
  return [shown, lines.length - shown.length];
}

function newAmong({ entries }: ImportPlan): string {
  return entries.filter(({ isPresent }) => !isPresent).length.toLocaleString('en');
}

function row(terminal: Terminal, { line, verdict, words }: LineVerdict): string[] {
  const [text, color] = VERDICTS[verdict];
  return [`  line ${line}`, terminal.paint(color, text), clean(words)];
}

/** `12 lines: 3 taken, 9 not needed`. A line may have two verdicts. */
function tally(lines: readonly LineVerdict[]): string {
  const parts = Object.entries(VERDICTS).flatMap(([verdict, [words]]) => {
    const n = new Set(lines.filter((line) => line.verdict === verdict).map(({ line }) => line)).size;
    return n === 0 ? [] : [`${n.toLocaleString('en')} ${words.toLowerCase()}`];
  });
  const all = count(new Set(lines.map(({ line }) => line)).size, 'line', 'lines');
  return parts.length === 0 ? 'nothing in it' : `${all}: ${parts.join(', ')}`;
}

function state(isPresent: boolean): string {
  return isPresent ? 'there already' : 'new';
}

function sequenceText({ isPresent, sequence, length }: PlannedImportUser): string {
  if (isPresent) return 'stays';
  return sequence === null ? `${length} new ports` : 'from there';
}

/** `rules.v4:12`. */
export function placeText(place: Place | undefined): string {
  return place === undefined ? '' : `${clean(place.file)}:${place.line}`;
}
