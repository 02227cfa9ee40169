import { stripVTControlCharacters } from 'node:util';
import type { Terminal } from './terminal.js';

/**
 * Rows under a head: framed on a terminal, without the columns that are empty; anywhere else aligned columns, always the
 * same ones. Cells are clean text.
 */
export async function table(terminal: Terminal, head: readonly string[], rows: readonly string[][]): Promise<string> {
  if (!terminal.fancy) return columns([head.map((title) => title.toUpperCase()), ...rows]);
  const { default: Table } = await import('cli-table3');
  const isUsed = head.map((_, i) => rows.some((row) => row[i] !== ''));
  const framed = new Table({
    head: head.filter((_, i) => isUsed[i]).map((title) => terminal.paint('dim', title)),
    style: { head: [], border: [], compact: true },
    chars: ROUNDED,
  });
  for (const row of rows) framed.push(row.filter((_, i) => isUsed[i]));
  return framed.toString();
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

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

const ROUNDED = { 'top-left': '╭', 'top-right': '╮', 'bottom-left': '╰', 'bottom-right': '╯' } as const;
