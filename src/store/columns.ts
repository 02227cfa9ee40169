/** A row as SQLite gives it: column name to value. */
export type Row = Readonly<Record<string, unknown>>;

/** A row that does not parse. The text names the row and the column, never what the column holds: it may be a secret. */
export class BadRow extends Error {}

export function bad(column: string): never {
  throw new BadRow(`${column} cannot be read`);
}

export function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : bad(column);
}

export function isNull(row: Row, column: string): boolean {
  return row[column] === null;
}

export function textOrNull(row: Row, column: string): string | null {
  return isNull(row, column) ? null : text(row, column);
}

/** Text that must match a form. */
export function textLike(row: Row, column: string, form: RegExp): string {
  const value = text(row, column);
  return form.test(value) ? value : bad(column);
}

/** Text that must be one of the keys. */
export function oneOf<K extends string>(row: Row, column: string, known: Readonly<Record<K, true>>): K {
  const value = text(row, column);
  return Object.hasOwn(known, value) ? (value as K) : bad(column);
}

/** A whole number from `least` to `most`. */
export function whole(
  row: Row,
  column: string,
  least = Number.MIN_SAFE_INTEGER,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = row[column];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
    ? value
    : bad(column);
}

/** Text read by one of core's parsers. */
export function parsed<T>(row: Row, column: string, parse: (value: string) => T): T {
  const value = text(row, column);
  try {
    return parse(value);
  } catch {
    return bad(column);
  }
}

/** Runs a decoder; what it finds bad is reported with the kind of row and its key. */
export function named<T>(kind: string, key: string, row: Row, decode: (row: Row) => T): T {
  try {
    return decode(row);
  } catch (error) {
    if (error instanceof BadRow) throw new BadRow(`${kind} ${String(row[key])}: ${error.message}`);
    throw error;
  }
}
