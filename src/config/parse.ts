import type { Config } from './config.js';
import { toConfig } from './convert.js';
import { crossChecks } from './cross-checks.js';
import { configJsonSchema } from './json-schema.js';
import { fileSchema, MAY_BE_EMPTY } from './schema.js';
import { parseFile, type Refused } from './schema-file.js';

export type ParseResult = { readonly ok: true; readonly config: Config } | Refused;

const KIND = {
  what: 'a configuration',
  needs: 'version: 1 and services',
  schema: fileSchema,
  described: configJsonSchema,
  mayBeEmpty: MAY_BE_EMPTY,
  crossChecks,
};

/**
 * Reads a configuration. Never throws: gives the frozen configuration, or every problem of the text at once, in the
 * order of its lines. `file` is only the name that problems carry.
 */
export function parseConfig(text: string, file: string): ParseResult {
  const read = parseFile(text, file, KIND);
  return read.ok ? { ok: true, config: toConfig(read.values, Object.hasOwn(read.written, 'phone')) } : read;
}
