import type { z } from 'zod';
import { type JsonSchema, schemaAt } from './json-schema.js';
import { type Path, shown } from './problem.js';
import { nearest } from './suggest.js';

type Issue = z.core.$ZodIssue;

/** What the schema has against a file: where, and in words for people. `at` tells whether the key or its value is meant. */
export interface Complaint {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
}

/**
 * Turns the issues of a schema into complaints, one for each thing that must be mended. `described` gives the schema as
 * data; it is asked where a key is unknown.
 */
export function complaints(issues: readonly Issue[], described: () => JsonSchema): readonly Complaint[] {
  let schema: JsonSchema | undefined;
  const once = () => {
    schema ??= described();
    return schema;
  };
  return issues.flatMap((issue) => complain(issue, [], once));
}

function complain(issue: Issue, base: Path, described: () => JsonSchema): readonly Complaint[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        at: 'key',
        message: unknownKey(key, path, described()),
      }));
    case 'invalid_key':
      return [{ path, at: 'key', message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_union': {
      const meant = issue.errors.filter((branch) => !branch.some(isOtherKind));
      if (meant.length === 1 && meant[0] !== undefined)
        return meant[0].flatMap((inner) => complain(inner, path, described));
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

function unknownKey(key: string, path: Path, schema: JsonSchema): string {
  const known = Object.keys(schemaAt(schema, path)?.properties ?? {});
  const near = nearest(key, known);
  const hint = near ?? elsewhere(schema, key);
  return `unknown key ${shown(key)}; ${hint === undefined ? `known here: ${known.join(', ')}` : `did you mean ${hint}?`}`;
}

/** Where a key that is out of place belongs: `ttl` at the top is `grants.ttl`. */
function elsewhere(schema: JsonSchema, key: string): string | undefined {
  for (const [section, { properties }] of Object.entries(schema.properties ?? {})) {
    if (properties !== undefined && Object.hasOwn(properties, key)) return `${section}.${key}`;
  }
  return undefined;
}
