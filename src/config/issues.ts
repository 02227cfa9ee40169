import type { z } from 'zod';
import { configJsonSchema, type JsonSchema, schemaAt } from './json-schema.js';
import { type Path, shown } from './problem.js';
import { nearest } from './suggest.js';

type Issue = z.core.$ZodIssue;

/** What the schema has against a file: where, and in words for people. `at` tells whether the key or its value is meant. */
export interface Complaint {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
}

/** Turns the issues of the schema into complaints, one for each thing that must be mended. */
export function complaints(issues: readonly Issue[]): readonly Complaint[] {
  return issues.flatMap((issue) => complain(issue, []));
}

function complain(issue: Issue, base: Path): readonly Complaint[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], at: 'key', message: unknownKey(key, path) }));
    case 'invalid_key':
      return [{ path, at: 'key', message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_union': {
      const meant = issue.errors.filter((branch) => !branch.some(isOtherKind));
      if (meant.length === 1 && meant[0] !== undefined) return meant[0].flatMap((inner) => complain(inner, path));
      return [{ path, at: 'value', message: issue.message }];
    }
    case 'invalid_type':
      return [{ path, at: 'value', message: issue.input === undefined ? 'it is missing' : issue.message }];
    default:
      return [{ path, at: 'value', message: issue.message }];
  }
}

/** True where a value is of another kind than this branch of a union, rather than a faulty one of the kind. */
function isOtherKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

let published: JsonSchema | undefined;

function unknownKey(key: string, path: Path): string {
  published ??= configJsonSchema();
  const known = Object.keys(schemaAt(published, path)?.properties ?? {});
  const near = nearest(key, known);
  const hint = near ?? elsewhere(published, key);
  return `unknown key ${shown(key)}; ${hint === undefined ? `known here: ${known.join(', ')}` : `did you mean ${hint}?`}`;
}

/** Where a key that is out of place belongs: `ttl` at the top is `grants.ttl`. */
function elsewhere(schema: JsonSchema, key: string): string | undefined {
  for (const [section, { properties }] of Object.entries(schema.properties ?? {})) {
    if (properties !== undefined && Object.hasOwn(properties, key)) return `${section}.${key}`;
  }
  return undefined;
}
