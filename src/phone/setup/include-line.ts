import { SallyportError } from '../../core/errors.js';
import { readConfText } from './conf-text.js';
import { OWN_FOLDER } from './snippets.js';

const REMARK = "; Sallyport's telephone menu";

/**
 * The text of a configuration file with a line that includes our own file `name`: the same text where it is there already. A
 * line that was half written or names another way to it is mended; the ends of lines stay as they are in this file.
 * `#tryinclude`, so that Asterisk still starts when our folder is gone.
 * @throws SP_PHONE_FILE where a comment that is not closed would swallow the line
 */
export function withInclude(text: string, name: string, file: string): string {
  const path = `${OWN_FOLDER}/${name}`;
  if (includes(text, path)) return text;
  const wanted = `#tryinclude "${path}"`;
  const mended = [mendedText(text, name, wanted), addedText(text, wanted)].find(
    (candidate) => candidate !== undefined && includes(candidate, path),
  );
  if (mended !== undefined) return mended;
  const line = readConfText(text).unclosed;
  const problem = line === null ? `no line can be added to it` : `the comment that begins on line ${line} never ends`;
  throw new SallyportError('SP_PHONE_FILE', { file, problem });
}

/** With the line in place of a torn one; undefined where there is none. */
function mendedText(text: string, name: string, wanted: string): string | undefined {
  const lines = text.split('\n');
  const torn = lines.findIndex((line) => isTorn(line, name));
  if (torn < 0) return undefined;
  lines[torn] = wanted + (lines[torn]?.endsWith('\r') ? '\r' : '');
  return lines.join('\n');
}

/** With the line at its end. */
function addedText(text: string, wanted: string): string {
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const gap = text === '' || text.endsWith('\n') ? '' : end;
  return `${text}${gap}${end}${REMARK}${end}${wanted}${end}`;
}

function includes(text: string, path: string): boolean {
  return readConfText(text).items.some((item) => item.kind === 'include' && item.path === path);
}

/** A beginning of our line, or one that is written wrongly. */
function isTorn(line: string, name: string): boolean {
  const text = line.trim();
  if (new RegExp(`^#\\s*(try)?include\\s+["<]?${OWN_FOLDER}/`, 'i').test(text)) {
    const path = text.replace(/^#\s*(try)?include\s+["<]?/i, '').replace(/[">]?\s*$/, '');
    return `${OWN_FOLDER}/${name}`.startsWith(path);
  }
  return text.length > '#tryinclude "'.length && `#tryinclude "${OWN_FOLDER}/${name}"`.startsWith(text);
}
