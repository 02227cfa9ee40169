import type { Config } from './config.js';
import { toConfig } from './convert.js';
import { crossChecks } from './cross-checks.js';
import { type Complaint, complaints } from './issues.js';
import { formatPath, inOrder, oneLine, type Path, type Problem, shown } from './problem.js';
import { fileSchema, MAY_BE_EMPTY } from './schema.js';
import { readYaml, type YamlFile } from './yaml-tree.js';

export type ParseResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The largest file that is read, in bytes (in UTF-16 units where it comes as text). */
export const LARGEST_FILE = 1_048_576;

/**
 * Reads a configuration. Never throws: gives the frozen configuration, or every problem of the text at once, in the
 * order of its lines. `file` is only the name that problems carry.
 */
export function parseConfig(text: string, file: string): ParseResult {
  if (text.length > LARGEST_FILE) return refuse(file, 'the file is larger than 1 MB; that is not a configuration');
  const yaml = readYaml(text);
  if (yaml.problems.length > 0 && yaml.value === undefined) return { ok: false, problems: yamlProblems(yaml, file) };
  if (yaml.value === undefined || yaml.value === null) {
    return refuse(file, 'the file is empty; it needs at least version: 1 and services');
  }
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    return refuse(file, `the file must be a mapping of sections, found ${shown(yaml.value)}`);
  }
  const values = withoutEmpty(yaml.value);
  const read = fileSchema.safeParse(values, { reportInput: true });
  const found = [...(read.success ? [] : complaints(read.error.issues)), ...crossChecks(values)];
  if (read.success && found.length === 0 && yaml.problems.length === 0) {
    return { ok: true, config: toConfig(read.data, Object.hasOwn(values, 'phone')) };
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

function refuse(file: string, message: string): ParseResult {
  return { ok: false, problems: [{ file, line: 1, column: 1, path: '', message }] };
}

/** The file without the keys that may be empty and are. */
function withoutEmpty(values: object): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...values };
  for (const path of MAY_BE_EMPTY) prune(copy, path);
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
