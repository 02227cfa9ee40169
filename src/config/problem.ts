/** Something wrong in a configuration file, with its place. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The key it concerns, such as `grants.ttl` or `services.ssh[0]`; empty for the file as a whole. */
  readonly path: string;
  /** One line without a full stop. */
  readonly message: string;
}

/** The steps from the top of the file to a value: keys and positions in lists. */
export type Path = readonly (string | number)[];

const LONGEST_SHOWN = 80;

/** One line for people: `sallyport.yaml:14 grants.ttl: "3x" is not a duration (try 90s, 15m, 8h)`. */
export function formatProblem({ file, line, path, message }: Problem): string {
  return `${oneLine(file)}:${line}${path === '' ? '' : ` ${path}`}: ${message}`;
}

/** `['trusted', 'addresses', 0]` as `trusted.addresses[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${shorten(oneLine(step))}`;
  }
  return text;
}

/** A value as a message may show it: text in quotes, shortened and without control characters. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `"${shorten(oneLine(value))}"`;
  if (value === null || value === undefined) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : String(value);
}

/** What a file holds may carry escape sequences, line breaks or bidirectional controls: none of it reaches a terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
}

function shorten(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

/** Orders problems as a reader meets them, and keeps the first of those that concern one key at one place. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return problems
    .filter(({ line, column, path }) => {
      const key = `${line}:${column}:${path}`;
      return seen.has(key) ? false : seen.add(key);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}
