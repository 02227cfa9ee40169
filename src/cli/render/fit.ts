import { stripVTControlCharacters } from 'node:util';

/** Columns are not made narrower than this, nor than their longest word: a broken address cannot be copied. */
const NARROWEST = 8;
/** Longer words are broken all the same. */
const LONGEST_WORD = 40;

/** The columns that a text takes; escapes take none. */
export function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/**
 * How wide each column may be for all of them to fit into `room`, the widest giving way first; undefined where they cannot.
 * @param columns the cells of each column, its title among them
 */
export function fitColumns(columns: readonly (readonly string[])[], room: number): number[] | undefined {
  const widths = columns.map((cells) => Math.max(...cells.map(width)));
  const floors = columns.map((cells) => Math.max(NARROWEST, Math.min(LONGEST_WORD, longestWord(cells))));
  for (let over = widths.reduce((sum, one) => sum + one, 0) - room; over > 0; over--) {
    const widest = widths.reduce(
      (best, one, i) => (one > (floors[i] ?? 0) && one > (widths[best] ?? 0) ? i : best),
      -1,
    );
    if (widest < 0) return undefined;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function longestWord(cells: readonly string[]): number {
  return Math.max(...cells.flatMap((cell) => stripVTControlCharacters(cell).split(' ')).map(width));
}

/** A cell in lines of at most so many characters, each painted as the whole was. */
export function wrapCell(cell: string, most: number): string {
  if (width(cell) <= most) return cell;
  const [, before = '', after = ''] = PAINTED.exec(cell) ?? [];
  return linesOf(stripVTControlCharacters(cell), most)
    .map((line) => `${before}${line}${after}`)
    .join('\n');
}

/** A text that is painted as a whole, in one colour. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it is about
const PAINTED = /^((?:\u001b\[\d+m)+)[^\u001b]*((?:\u001b\[\d+m)+)$/;

function linesOf(text: string, most: number): string[] {
  const lines: string[] = [];
  const line: string[] = [];
  for (const word of text.split(' ').flatMap((one) => pieces(one, most))) {
    if (line.length > 0 && line.length + 1 + word.length > most) lines.push(line.splice(0).join(''));
    line.push(...(line.length > 0 ? [' '] : []), ...word);
  }
  return [...lines, line.join('')];
}

function pieces(word: string, most: number): string[][] {
  const letters = [...word];
  const found: string[][] = [];
  for (let i = 0; i === 0 || i < letters.length; i += most) found.push(letters.slice(i, i + most));
  return found;
}
