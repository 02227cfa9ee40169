import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { oneLine, type Path, shown } from './problem.js';

/** A value of the file with the places where it and its key stand (offsets into the text). */
interface Tree {
  readonly value: unknown;
  readonly offset: number;
  readonly keyOffset: number | undefined;
  readonly children: ReadonlyMap<string | number, Tree>;
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something wrong with the YAML itself, before any meaning is read into it. */
interface YamlProblem extends Place {
  readonly path: Path;
  readonly message: string;
}

export interface YamlFile {
  /** Plain data: null, booleans, numbers, strings, arrays and prototype-less objects; undefined for an empty file. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** The place of the value at a path, or of the nearest thing around it that the file has. */
  valuePlace(path: Path): Place;
  /** The place of the key at a path, or of the nearest thing around it that the file has. */
  keyPlace(path: Path): Place;
}

/** How many values aliases may stand for in all: aliases of aliases grow without bound. */
const MOST_ALIASED = 10_000;
/** What follows the first few syntax errors is mostly their consequence. */
const MOST_SYNTAX_ERRORS = 10;

const NO_CHILDREN: ReadonlyMap<string | number, Tree> = new Map();

const PLAIN_DECIMAL = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/**
 * Reads YAML 1.2 (core schema, one document) as data with places. Never throws: whatever is wrong is a problem. Aliases
 * are followed within a bound; merge keys, custom tags and numbers that are not plain decimals are problems.
 */
export function readYaml(source: string): YamlFile {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source;
  const reader = new Reader(text);
  try {
    reader.read();
  } catch (error) {
    // The composer and this reader recurse into nested collections; a file that nests past the stack ends here.
    reader.complain(0, [], error instanceof RangeError ? 'it nests too deeply' : 'this is not YAML that can be read');
  }
  return reader;
}

class Reader implements YamlFile {
  problems: YamlProblem[] = [];
  value: unknown;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #root: Tree | undefined;
  /** How many aliases are being followed. */
  #aliases = 0;
  #aliased = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): void {
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // Quadratic in the library; `#readMap` checks it in one pass.
      uniqueKeys: false,
      schema: 'core',
      merge: false,
    });
    if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
      this.complain(0, [], 'only YAML 1.2 is read; leave the %YAML line out');
    }
    const syntax = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (syntax.length > 0) {
      for (const error of syntax.slice(0, MOST_SYNTAX_ERRORS)) {
        this.complain(error.pos[0], [], SYNTAX[error.code] ?? NOT_YAML);
      }
      return;
    }
    if (document.contents === null) return;
    const root = this.#readNode(document.contents, [], undefined);
    if (this.#aliased > MOST_ALIASED) return;
    this.#root = root;
    this.value = root.value;
  }

  valuePlace(path: Path): Place {
    const tree = this.#find(path);
    // An empty value has no text of its own.
    if (tree === undefined) return { line: 1, column: 1 };
    return this.#place(tree.value === null ? (tree.keyOffset ?? tree.offset) : tree.offset);
  }

  keyPlace(path: Path): Place {
    const tree = this.#find(path);
    return tree === undefined ? { line: 1, column: 1 } : this.#place(tree.keyOffset ?? tree.offset);
  }

  complain(offset: number, path: Path, message: string): void {
    this.problems.push({ ...this.#place(offset), path, message });
  }

  /** The tree at a path; where the file ends earlier, the innermost one around it, as its key is what a reader sees. */
  #find(path: Path): Tree | undefined {
    let tree = this.#root;
    for (const step of path) {
      if (tree === undefined) return undefined;
      const child: Tree | undefined = tree.children.get(step);
      if (child === undefined) return { ...tree, offset: tree.keyOffset ?? tree.offset };
      tree = child;
    }
    return tree;
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return line < 1 ? { line: 1, column: 1 } : { line, column: col };
  }

  #readNode(node: unknown, path: Path, keyOffset: number | undefined): Tree {
    const offset = rangeStart(node) ?? keyOffset ?? 0;
    const leaf = (value: unknown): Tree => ({ value, offset, keyOffset, children: NO_CHILDREN });
    if (this.#aliases > 0 && ++this.#aliased > MOST_ALIASED) {
      if (this.#aliased === MOST_ALIASED + 1) this.complain(offset, path, 'its aliases unfold to too much');
      return leaf(null);
    }
    if (isAlias(node)) return this.#readAlias(node.source, path, offset, keyOffset);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, node);
    }
    if (isMap(node)) return { ...this.#enter(node, () => this.#readMap(node, path)), offset, keyOffset };
    if (isSeq(node)) return { ...this.#enter(node, () => this.#readSeq(node, path)), offset, keyOffset };
    if (!isScalar(node)) return leaf(null);
    const { value } = node;
    if (typeof value === 'number' && !PLAIN_DECIMAL.test(node.source ?? '')) {
      const written = oneLine(node.source ?? '').slice(0, 40);
      this.complain(offset, path, `${written} is not a plain decimal number; where text is meant, put it in quotes`);
    }
    return leaf(value);
  }

  #readAlias(name: string, path: Path, offset: number, keyOffset: number | undefined): Tree {
    const target = this.#anchors.get(name);
    if (target === undefined || this.#open.has(target)) {
      const message = target === undefined ? 'this alias has no anchor before it' : 'this alias contains itself';
      this.complain(offset, path, message);
      return { value: null, offset, keyOffset, children: NO_CHILDREN };
    }
    this.#aliases++;
    const tree = this.#readNode(target, path, keyOffset);
    this.#aliases--;
    return { ...tree, offset };
  }

  /** Reads a collection, during which an alias to it would be a circle. */
  #enter<T>(node: Node, read: () => T): T {
    this.#open.add(node);
    const result = read();
    this.#open.delete(node);
    return result;
  }

  #readMap(map: YAMLMap, path: Path): Pick<Tree, 'value' | 'children'> {
    const value: Record<string, unknown> = Object.create(null);
    const children = new Map<string | number, Tree>();
    for (const { key, value: node } of map.items) {
      const keyOffset = rangeStart(key) ?? rangeStart(map) ?? 0;
      const name = isScalar(key) ? (key.source ?? String(key.value)) : undefined;
      if (name === undefined || name === '' || name === '__proto__') {
        this.complain(keyOffset, path, name ? `${shown(name)} cannot be a key` : 'a key must be a plain word');
        continue;
      }
      const earlier = children.get(name);
      const child = this.#readNode(node, [...path, name], keyOffset);
      if (earlier === undefined) {
        children.set(name, child);
        value[name] = child.value;
      } else {
        const { line } = this.#place(earlier.keyOffset ?? earlier.offset);
        this.complain(keyOffset, [...path, name], `the key is given twice (first in line ${line})`);
      }
    }
    return { value, children };
  }

  #readSeq(seq: YAMLSeq, path: Path): Pick<Tree, 'value' | 'children'> {
    const children = new Map<string | number, Tree>();
    for (const [index, node] of seq.items.entries()) {
      children.set(index, this.#readNode(node, [...path, index], undefined));
    }
    return { value: [...children.values()].map((child) => child.value), children };
  }
}

function rangeStart(node: unknown): number | undefined {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}

const NOT_YAML = 'this is not valid YAML';

/** The library's own texts quote the file, which may hold a secret in the wrong place. */
const SYNTAX: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab cannot indent; use spaces',
  BAD_INDENT: 'the indentation does not fit the lines around it',
  MULTIPLE_DOCS: 'there must be one document only; remove the second ---',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line, followed by a colon',
  BLOCK_AS_IMPLICIT_KEY: 'a colon is in the wrong place; put text that holds ": " in quotes',
  MISSING_CHAR: 'a closing quote, bracket or colon is missing',
  BAD_SCALAR_START: 'text that begins with this character must be put in quotes',
  BAD_DQ_ESCAPE: 'there is no such escape in double quotes; use single quotes',
  BAD_ALIAS: 'text that begins with * must be put in quotes',
  TAG_RESOLVE_FAILED: 'tags are not used here; put text that begins with ! in quotes',
  RESOURCE_EXHAUSTION: 'it nests too deeply',
};
