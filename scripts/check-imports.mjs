/**
 * Holds src to the direction of imports in lib/import-rules.mjs, and core to its purity.
 * `node scripts/check-imports.mjs [FOLDER]`: the folder with `src` and `package.json`; the checkout where none is given.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { ROOT } from './lib/checkout.mjs';
import { crudeImportCount, readModule } from './lib/import-reader.mjs';
import { MAY_REQUIRE, RULES } from './lib/import-rules.mjs';

const root = resolve(process.argv[2] ?? ROOT);
const src = join(root, 'src');
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const installed = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));

const problems = [];
let files = 0;
let imports = 0;
for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  const path = relative(src, join(entry.parentPath, entry.name));
  if (!entry.isFile() || path.endsWith('tsconfig.json')) continue;
  if (/\.[cm]?tsx?$/.test(path)) checkFile(path);
  else problems.push(`src/${path}: only TypeScript belongs here; nothing checks this file`);
}
for (const [folder, rule] of Object.entries(RULES)) if (rule.folders !== 'all') checkReferences(folder, rule);
if (files === 0 || imports === 0) problems.push('nothing was read: the check itself is broken');
for (const problem of problems) console.log(problem);
console.log(`${imports} imports in ${files} files read, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkFile(path) {
  const text = readFileSync(join(src, path), 'utf8');
  const found = readModule(path, text);
  files += 1;
  imports += found.imports.length;
  if (found.imports.length < crudeImportCount(text))
    problems.push(`src/${path}: imports were overlooked: the check itself is broken`);
  for (const { specifier, line } of found.imports) {
    const why = refusal(path, specifier);
    if (why) problems.push(`src/${path}:${line}: imports ${specifier ?? 'a computed name'}: ${why}`);
  }
  if (folderOf(path) !== 'core') return;
  for (const { name, line } of found.impure)
    problems.push(`src/${path}:${line}: uses ${name}: core has no clock and no chance of its own`);
}

/** The compiler must be told the same as this check. */
function checkReferences(folder, rule) {
  const path = join(src, folder, 'tsconfig.json');
  const { references = [] } = JSON.parse(readFileSync(path, 'utf8'));
  const referenced = references.map((reference) => relative(src, resolve(dirname(path), reference.path)));
  const differs = referenced.length !== rule.folders.length || referenced.some((name) => !rule.folders.includes(name));
  if (differs)
    problems.push(
      `src/${folder}/tsconfig.json: references ${listed(referenced)}; the table says ${listed(rule.folders)}`,
    );
}

/** Why the file may not import this, or undefined where it may. */
function refusal(path, specifier) {
  const from = folderOf(path);
  const rule = RULES[from];
  if (!rule) return `the folder ${from} is not in scripts/lib/import-rules.mjs`;
  if (specifier === undefined) return 'nobody can tell what that is';
  if (specifier.startsWith('.')) return refusedFolder(from, rule, path, specifier);
  if (isBuiltin(specifier)) return refusedBuiltin(from, rule, path, specifier);
  if (specifier.startsWith('#')) return 'sources never import what was built from them';
  return refusedPackage(from, rule, specifier);
}

function refusedFolder(from, rule, path, specifier) {
  const target = relative(src, resolve(src, dirname(path), specifier));
  if (target.startsWith('..')) return 'it lies outside src';
  const folder = folderOf(target);
  if (folder === from || rule.folders === 'all' || rule.folders.includes(folder)) return undefined;
  return `${from} may import ${listed(rule.folders)}`;
}

function refusedBuiltin(from, rule, path, specifier) {
  if (!rule.node) return `${from} may not use Node's modules`;
  const loads = /^(node:)?module$/.test(specifier) && from !== '.' && !MAY_REQUIRE.includes(path);
  return loads ? 'require would pass this check by' : undefined;
}

function refusedPackage(from, rule, specifier) {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (!installed.has(name)) return 'it is not among the dependencies of package.json';
  if (rule.packages === 'all' || rule.packages.includes(name)) return undefined;
  return `${from} may import ${listed(rule.packages)} of all packages`;
}

function listed(names) {
  return names.length === 0 ? 'none' : `only ${names.join(', ')}`;
}

/** 'core' for core/a/b.ts, 'control/contract' for what is in it, '.' for a file at the top of src. */
function folderOf(path) {
  const parts = path.split('/');
  if (parts.length === 1) return '.';
  const pair = parts.slice(0, 2).join('/');
  return parts.length > 2 && pair in RULES ? pair : parts[0];
}
