/** Reads what a TypeScript file imports, with a parser of its own; the compiler has no part in it. */
import { parseSync } from 'oxc-parser';

/**
 * Every module that the text names: imports and re-exports (of types too), import() and import types, require(), and
 * workers named by `new URL('./x.js', import.meta.url)`. A computed name is given as undefined.
 * @returns {{imports: {specifier: string | undefined, line: number}[], impure: {name: string, line: number}[]}} `impure`
 *   are the uses of the clock, of chance, and of what leads to them.
 */
export function readModule(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0].message}`);
  const found = { imports: [], impure: [] };
  const line = (node) => text.slice(0, node.start).split('\n').length;
  walk(program, undefined, (node, parent) => {
    const source = importSource(node);
    if (source) found.imports.push({ specifier: literal(source), line: line(node) });
    const name = impureName(node, parent);
    if (name) found.impure.push({ name, line: line(node) });
  });
  return found;
}

/** How many imports a crude look at the lines finds: a parser that sees fewer is not to be trusted. */
export function crudeImportCount(text) {
  return text.match(/^(?:(?:import|export)\b.*|\}) from ['"]/gm)?.length ?? 0;
}

function importSource(node) {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return node.source ?? node.argument;
    case 'TSExternalModuleReference':
      return node.expression;
    case 'CallExpression':
      return node.callee.name === 'require' ? node.arguments[0] : undefined;
    case 'NewExpression':
      return node.callee.name === 'URL' && node.arguments[1]?.object?.type === 'MetaProperty'
        ? node.arguments[0]
        : undefined;
    default:
      return undefined;
  }
}

function literal(node) {
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}

const IMPURE = new Set(['Date', 'globalThis', 'eval', 'Function']);

function impureName(node, parent) {
  if (node.type !== 'Identifier') return undefined;
  const isMemberName = parent.type === 'MemberExpression' && parent.property === node && !parent.computed;
  const isKey = parent.key === node && !parent.computed && !parent.shorthand;
  if (isMemberName || isKey) return undefined;
  if (node.name !== 'Math') return IMPURE.has(node.name) ? node.name : undefined;
  // Math is pure but for one member, so only a plain `Math.member` can be told to be harmless.
  const member = parent.type === 'MemberExpression' && !parent.computed ? parent.property.name : 'random';
  return member === 'random' ? 'Math.random' : undefined;
}

function walk(node, parent, visit) {
  if (Array.isArray(node)) for (const item of node) walk(item, parent, visit);
  if (typeof node?.type !== 'string') return;
  visit(node, parent);
  for (const value of Object.values(node)) if (value !== null && typeof value === 'object') walk(value, node, visit);
}
