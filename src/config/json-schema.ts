import { z } from 'zod';
import { fileSchema, MAY_BE_EMPTY } from './schema.js';

/** The part of JSON Schema (draft 7) that describes the configuration. */
export interface JsonSchema {
  $schema?: string;
  title?: string;
  description?: string;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  pattern?: string;
}

/** The JSON Schema of the configuration, for editors. What this program itself accepts is decided by `parseConfig`. */
export function configJsonSchema(): JsonSchema {
  const schema = jsonSchemaOf(fileSchema);
  for (const path of MAY_BE_EMPTY) {
    const part = schemaAt(schema, path);
    if (typeof part?.type === 'string') part.type = [part.type, 'null'];
  }
  schema.title = "Sallyport's configuration";
  return schema;
}

/** A schema of a file as data: what may be written. */
export function jsonSchemaOf(file: z.ZodType): JsonSchema {
  // Through text, as it will be published: plain data without the library's own properties.
  return JSON.parse(
    JSON.stringify(
      z.toJSONSchema(file, {
        io: 'input',
        target: 'draft-7',
        override: ({ jsonSchema }) => {
          if (!('written' in jsonSchema)) return;
          jsonSchema.examples = jsonSchema.written as unknown[];
          delete jsonSchema.written;
        },
      }),
    ),
  );
}

/** The schema of the value at a path; of alternatives, the mapping. */
export function schemaAt(schema: JsonSchema, path: readonly (string | number)[]): JsonSchema | undefined {
  let part: JsonSchema | undefined = schema;
  for (const step of path) {
    if (typeof step === 'number') part = part?.items;
    else if (part?.properties !== undefined) part = part.properties[step];
    else part = typeof part?.additionalProperties === 'object' ? part.additionalProperties : undefined;
    part = part?.anyOf?.find((alternative) => alternative.properties !== undefined) ?? part;
  }
  return part;
}
