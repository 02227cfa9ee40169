import { fitColumns, width, wrapCell } from './fit.js';
import type { Terminal } from './terminal.js';

/**
 * Rows under a head: framed on a terminal, without the columns that are empty; anywhere else aligned columns, always the
 * same ones. Cells are clean text. Where the terminal is too narrow for them all, the widest are wrapped, and if that is not
 * enough each row becomes a few lines of names and values.
 */
export async function table(terminal: Terminal, head: readonly string[], rows: readonly string[][]): Promise<string> {
  if (!terminal.fancy) return columns([head.map((title) => title.toUpperCase()), ...rows]);
  const used = head.map((_, i) => i).filter((i) => rows.some((row) => row[i] !== ''));
  const titles = used.map((i) => head[i] ?? '');
  const cells = rows.map((row) => used.map((i) => row[i] ?? ''));
  const room = (terminal.columns ?? Number.POSITIVE_INFINITY) - 3 * used.length - 1;
  const widths = fitColumns(
    titles.map((title, i) => [title, ...cells.map((row) => row[i] ?? '')]),
    room,
  );
  if (widths === undefined) return cells.map((row) => block(terminal, titles, row)).join('\n');
  const { default: Table } = await import('cli-table3');
  const framed = new Table({
    head: titles.map((title) => terminal.paint('dim', title)),
    style: { head: [], border: [], compact: true },
    chars: ROUNDED,
  });
  for (const row of cells) framed.push(row.map((cell, i) => wrapCell(cell, widths[i] ?? 0)));
  return framed.toString();
}

/** One row for itself: its first cell, and below it as many names and values a line as there is room for. */
function block(terminal: Terminal, titles: readonly string[], [name = '', ...cells]: readonly string[]): string {
  const facts = cells.flatMap((cell, i) =>
    cell === '' ? [] : [`${terminal.paint('dim', titles[i + 1] ?? '')} ${cell}`],
  );
  const lines: string[] = [];
  for (const fact of facts) {
    const longer = `${lines.at(-1)} · ${fact}`;
    if (lines.length > 0 && width(longer) <= (terminal.columns ?? 0)) lines[lines.length - 1] = longer;
    else lines.push(`  ${fact}`);
  }
  return [name, ...lines].join('\n');
}

/** Names and values below each other. */
export function pairs(terminal: Terminal, rows: readonly (readonly [name: string, value: string])[]): string {
  return columns(rows.map(([name, value]) => [terminal.paint('dim', name), value]));
}

/** Lines of cells, aligned by two spaces. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => pad(cell, widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Fills up to a width that escapes do not count for. */
export function pad(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}

const ROUNDED = { 'top-left': '╭', 'top-right': '╮', 'bottom-left': '╰', 'bottom-right': '╯' } as const;
