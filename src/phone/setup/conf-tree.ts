import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { SallyportError } from '../../core/errors.js';
import { readConfText } from './conf-text.js';

/** A setting, with the section that it belongs to and where it was written. */
export interface Setting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

export interface Section {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** A configuration file with everything that it includes, in the order in which Asterisk reads it. */
export interface ConfTree {
  readonly sections: readonly Section[];
  readonly settings: readonly Setting[];
  /** Every file that was read, by its path. */
  readonly files: readonly string[];
  /** Every file that is included, whether it is there or not. */
  readonly mentions: readonly string[];
  /** Includes of files that are not there, and must be: Asterisk then refuses the whole file. */
  readonly missing: readonly string[];
}

/** Asterisk's own bound (MAX_INCLUDE_LEVEL). */
const DEEPEST = 10;
const LARGEST = 8 << 20;
const WILDCARD = /[*?]/;

/** Reads a file below Asterisk's folder and what it includes; a file that is not there reads as empty. @throws SP_PHONE_FILE */
export async function readConfTree(directory: string, name: string): Promise<ConfTree> {
  const tree: Growing = {
    sections: [],
    settings: [],
    files: [],
    mentions: [],
    missing: [],
    section: '',
    isTemplate: false,
  };
  await read(tree, directory, join(directory, name), 0);
  return tree;
}

/** The last value of a key in all parts of a section, as Asterisk applies them; undefined where there is none. */
export function lastValue(tree: ConfTree, section: string, key: string): string | undefined {
  return tree.settings.findLast((setting) => setting.section === section && setting.key === key)?.value;
}

/** Whether Asterisk takes the value for a yes. */
export function isTrue(value: string | undefined): boolean {
  return /^(yes|true|y|t|1|on)$/i.test(value ?? '');
}

/** The text of a file; undefined where there is none. @throws SP_PHONE_FILE where it cannot be read, or is no text of a sane size */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > LARGEST) throw new SallyportError('SP_PHONE_FILE', { file, problem: 'it is larger than 8 MB' });
    // Latin-1 keeps every byte as it is, whatever the file is written in.
    return bytes.toString('latin1');
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT') return undefined;
    throw new SallyportError('SP_PHONE_FILE', { file, problem: `it cannot be read (${code})` }, error);
  }
}

interface Growing extends ConfTree {
  readonly sections: Section[];
  readonly settings: Setting[];
  readonly files: string[];
  readonly mentions: string[];
  readonly missing: string[];
  section: string;
  isTemplate: boolean;
}

async function read(tree: Growing, directory: string, file: string, depth: number): Promise<boolean> {
  const text = await readTextIfThere(file);
  if (text === undefined) return false;
  tree.files.push(file);
  for (const item of readConfText(text).items) {
    if (item.kind === 'section') {
      tree.section = item.name;
      tree.isTemplate = item.isTemplate;
      if (!item.isTemplate) tree.sections.push({ name: item.name, file, line: item.line });
    } else if (item.kind === 'setting') {
      if (tree.isTemplate) continue;
      tree.settings.push({ section: tree.section, key: item.key, value: item.value, file, line: item.line });
    } else if (depth < DEEPEST) {
      const path = isAbsolute(item.path) ? item.path : join(directory, item.path);
      let found = false;
      tree.mentions.push(path);
      for (const each of await matches(path)) found = (await read(tree, directory, each, depth + 1)) || found;
      if (!found && item.mustExist && !WILDCARD.test(item.path)) tree.missing.push(`${file}:${item.line}`);
    }
  }
  return true;
}

/** The files that a path stands for; wildcards count in its last part alone. */
async function matches(path: string): Promise<string[]> {
  if (!WILDCARD.test(path)) return [path];
  const names = await readdir(dirname(path)).catch(() => []);
  const pattern = basename(path)
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const wanted = new RegExp(`^${pattern}$`);
  return names
    .filter((name) => !name.startsWith('.') && wanted.test(name))
    .sort()
    .map((name) => join(dirname(path), name));
}
