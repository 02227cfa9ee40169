// Writes docs/configuration.md and docs/sallyport.schema.json from the schema of the configuration. With --check it
// writes nothing and exits with 1 where a committed file is not what would be written. Needs a build (dist/config).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { configurationMarkdown } from '../dist/config/docs.js';
import { configJsonSchema } from '../dist/config/json-schema.js';

const files = {
  'docs/configuration.md': configurationMarkdown(),
  'docs/sallyport.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
};
const root = new URL('../', import.meta.url);
const [option, ...rest] = process.argv.slice(2);

if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error('usage: node scripts/generate-config-docs.mjs [--check]');
  process.exitCode = 2;
} else if (option === '--check') {
  const stale = Object.entries(files).filter(([name, text]) => current(name) !== text);
  for (const [name] of stale) console.error(`${name} is stale; run: node scripts/generate-config-docs.mjs`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  mkdirSync(new URL('docs/', root), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(new URL(name, root), text);
}

function current(name) {
  try {
    return readFileSync(new URL(name, root), 'utf8');
  } catch {
    return undefined;
  }
}
