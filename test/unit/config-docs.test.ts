import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configurationMarkdown } from '../../src/config/docs.ts';
import { configJsonSchema, type JsonSchema } from '../../src/config/json-schema.ts';
import { LEAST, SAMPLE } from '../support/config-sample.ts';

const committed = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

describe('the published documents', () => {
  it('are what the schema makes today', () => {
    expect(committed('configuration.md')).toBe(configurationMarkdown());
    expect(JSON.parse(committed('sallyport.schema.json'))).toEqual(configJsonSchema());
  });

  it('describe every key', () => {
    const bare: string[] = [];
    const visit = (schema: JsonSchema, path: string) => {
      for (const [key, value] of Object.entries(schema.properties ?? {})) {
        if ((value.description ?? '') === '') bare.push(`${path}${key}`);
        visit(value, `${path}${key}.`);
      }
      for (const part of [schema.items, ...(schema.anyOf ?? [])]) if (part !== undefined) visit(part, path);
    };
    visit(configJsonSchema(), '');
    expect(bare).toEqual([]);
    for (const key of ['max_ttl', 'nflog_group', 'addresses[].note', 'ari.password_file', 'on_expiry']) {
      expect(configurationMarkdown()).toContain(`| \`${key}\` |`);
    }
  });
});

describe('the JSON Schema', () => {
  // The schema as an editor's validator would understand it.
  const editor = z.fromJSONSchema(JSON.parse(committed('sallyport.schema.json')));
  const accepts = (text: string) => editor.safeParse(parse(text)).success;

  it('accepts the example of the contract and the least', () => {
    expect(accepts(SAMPLE)).toBe(true);
    expect(accepts(LEAST)).toBe(true);
    expect(accepts(`${LEAST}trusted:\n`)).toBe(true);
  });

  it('refuses an unknown key, a wrong word and a wrong form', () => {
    for (const lines of [
      'a: 1',
      'grants: {tll: 1h}',
      'grants: {ttl: 3x}',
      'log: {level: loud}',
      'knock: {nflog_group: 0}',
    ]) {
      expect(accepts(`${LEAST}${lines}\n`)).toBe(false);
    }
  });

  it('has no $id', () => {
    expect(committed('sallyport.schema.json')).not.toContain('"$id"');
  });
});
