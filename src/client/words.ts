import { parseArgs } from 'node:util';
import { SallyportError } from '../core/errors.js';

/** What a command takes: long names, and whether a value follows. */
type OptionTable = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>;

/** The words of a command line, sorted. */
export interface Words<Name extends string> {
  readonly flags: ReadonlySet<Name>;
  readonly values: ReadonlyMap<Name, string>;
  readonly positionals: readonly string[];
}

/**
 * Sorts the words of a command line. parseArgs in its strict mode would quote values in its errors, so its tokens are checked
 * here.
 * @throws SP_USAGE
 */
export function readWords<Table extends OptionTable>(
  argv: readonly string[],
  options: Table,
): Words<keyof Table & string> {
  const flags = new Set<keyof Table & string>();
  const values = new Map<keyof Table & string, string>();
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const known = Object.hasOwn(options, name) ? options[name] : undefined;
    if (known === undefined) {
      throw usage(/^--?[a-z][a-z-]*$/i.test(rawName) ? `there is no option ${rawName}` : 'there is no such option');
    }
    if (known.type === 'boolean') {
      if (value !== undefined) throw usage(`${rawName} takes no value`);
      flags.add(name);
    } else {
      const missing = value === undefined || value === '' || (value.startsWith('-') && value !== '-' && !inlineValue);
      if (missing) throw usage(`${rawName} needs a value`);
      values.set(name, value);
    }
  }
  return { flags, values, positionals };
}

export function usage(problem: string): SallyportError {
  return new SallyportError('SP_USAGE', { problem });
}
