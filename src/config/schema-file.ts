import type { z } from 'zod';
import { type Complaint, complaints } from './issues.js';
import type { JsonSchema } from './json-schema.js';
import { formatPath, inOrder, oneLine, type Path, type Problem, shown } from './problem.js';
import { readYaml, type YamlFile } from './yaml-tree.js';

/** The largest file that is read, in bytes (in UTF-16 units where it comes as text). */
export const LARGEST_FILE = 1_048_576;

/** A kind of file that is read by a schema. */
export interface FileKind<Values> {
  /** What it is, with an article. */
  readonly what: string;
  /** What an empty one lacks. */
  readonly needs: string;
  readonly schema: z.ZodType<Values>;
  /** The schema as data: what keys there are. */
  readonly described: () => JsonSchema;
  /** Keys that may stand with nothing below them, and count as left out then. */
  readonly mayBeEmpty: readonly Path[];
  /** What holds between keys. */
  readonly crossChecks: (written: unknown) => readonly Complaint[];
}

/** What is wrong with a file: every problem at once, in the order of its lines. */
export interface Refused {
  readonly ok: false;
  readonly problems: readonly Problem[];
}

/**
 * Reads a file of a kind. Never throws. `written` is the file as it stands, without the keys that are empty; `file` is only
 * the name that problems carry.
 */
export function parseFile<Values>(
  text: string,
  file: string,
  kind: FileKind<Values>,
): { readonly ok: true; readonly values: Values; readonly written: Readonly<Record<string, unknown>> } | Refused {
  if (text.length > LARGEST_FILE) return refuse(file, `the file is larger than 1 MB; that is not ${kind.what}`);
  const yaml = readYaml(text);
  if (yaml.problems.length > 0 && yaml.value === undefined) return { ok: false, problems: yamlProblems(yaml, file) };
  if (yaml.value === undefined || yaml.value === null) {
    return refuse(file, `the file is empty; it needs at least ${kind.needs}`);
  }
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    return refuse(file, `the file must be a mapping of sections, found ${shown(yaml.value)}`);
  }
  const written = withoutEmpty(yaml.value, kind.mayBeEmpty);
  const read = kind.schema.safeParse(written, { reportInput: true });
  const found = [...(read.success ? [] : complaints(read.error.issues, kind.described)), ...kind.crossChecks(written)];
  if (read.success && found.length === 0 && yaml.problems.length === 0) {
    return { ok: true, values: read.data, written };
  }
  const taken = new Set(yaml.problems.map(({ path }) => formatPath(path)));
  const fresh = found.map((complaint) => place(complaint, yaml, file)).filter(({ path }) => !taken.has(path));
  return { ok: false, problems: inOrder([...yamlProblems(yaml, file), ...fresh]) };
}

function yamlProblems(yaml: YamlFile, file: string): readonly Problem[] {
  return inOrder(yaml.problems.map((problem) => ({ ...problem, file, path: formatPath(problem.path) })));
}

function place({ path, at, message }: Complaint, yaml: YamlFile, file: string): Problem {
  const where = at === 'key' ? yaml.keyPlace(path) : yaml.valuePlace(path);
  return { file, ...where, path: formatPath(path), message: oneLine(message) };
}

function refuse(file: string, message: string): Refused {
  return { ok: false, problems: [{ file, line: 1, column: 1, path: '', message }] };
}

/** The file without the keys that may be empty and are. */
function withoutEmpty(values: object, mayBeEmpty: readonly Path[]): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...values };
  for (const path of mayBeEmpty) prune(copy, path);
  return copy;
}

/** Removes the key at `path` where it has no value, in copies, since an alias may share the mapping. */
function prune(values: Record<string, unknown>, path: Path): void {
  const [first, ...rest] = path;
  if (typeof first !== 'string' || !Object.hasOwn(values, first)) return;
  const inner = values[first];
  if (rest.length === 0) {
    if (inner === null) delete values[first];
  } else if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) {
    const copy = { ...inner };
    prune(copy, rest);
    values[first] = copy;
  }
}
