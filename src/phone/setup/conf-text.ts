/** What stands on a line of an Asterisk configuration file. Lines are counted from 1. */
export type ConfItem =
  | { readonly kind: 'section'; readonly line: number; readonly name: string; readonly isTemplate: boolean }
  | { readonly kind: 'setting'; readonly line: number; readonly key: string; readonly value: string }
  | { readonly kind: 'include'; readonly line: number; readonly path: string; readonly mustExist: boolean };

export interface ConfText {
  readonly items: readonly ConfItem[];
  /** The line on which a block comment begins that nothing ends; null where there is none. */
  readonly unclosed: number | null;
}

/**
 * Reads a configuration file of Asterisk the way Asterisk itself does: sections, settings, includes; `;` begins a comment, `\;`
 * is a semicolon, `;--` and `--;` enclose a block. What is none of these is left out, as Asterisk does after a warning.
 */
export function readConfText(text: string): ConfText {
  const items: ConfItem[] = [];
  const open: number[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const item = readLine(uncommented(raw, index + 1, open).trim(), index + 1);
    if (item !== undefined) items.push(item);
  }
  return { items, unclosed: open[0] ?? null };
}

/** The line without its comments; `open` holds the lines of the block comments that are not closed yet. */
function uncommented(raw: string, line: number, open: number[]): string {
  let text = '';
  for (let at = 0; at < raw.length; at += 1) {
    const isSemicolon = raw[at] === ';';
    if (isSemicolon && raw[at - 1] === '\\') {
      if (open.length === 0) text = `${text.slice(0, -1)};`;
    } else if (isSemicolon && raw.startsWith(';--', at) && raw[at + 3] !== '-') {
      open.push(line);
      at += 2;
    } else if (isSemicolon && raw.slice(at - 2, at) === '--' && open.length > 0) {
      open.pop();
    } else if (isSemicolon && open.length === 0) {
      break;
    } else if (open.length === 0) {
      text += raw[at];
    }
  }
  return text;
}

function readLine(text: string, line: number): ConfItem | undefined {
  const section = /^\[([^\]]+)\]\s*(?:\(([^)]*)\))?/.exec(text);
  if (section !== null) {
    const options = (section[2] ?? '').split(',').map((word) => word.trim());
    return { kind: 'section', line, name: section[1] ?? '', isTemplate: options.includes('!') };
  }
  const include = /^#(include|tryinclude)\s+(?:"([^"]+)"|<([^>]+)>|(\S+))\s*$/i.exec(text);
  if (include !== null) {
    const path = include[2] ?? include[3] ?? include[4] ?? '';
    return { kind: 'include', line, path, mustExist: include[1]?.toLowerCase() === 'include' };
  }
  const setting = /^([^=#[][^=]*?)\s*=>?\s*(.*)$/.exec(text);
  if (setting === null) return undefined;
  return { kind: 'setting', line, key: (setting[1] ?? '').trim().toLowerCase(), value: (setting[2] ?? '').trim() };
}
