import { PROTOCOL_NUMBER } from './ports.js';
import type { Sequence } from './sequence.js';

/** Sequences by their beginnings: whether a new one clashes with any costs as much as it is long. */
export class SequenceIndex {
  /** How many sequences begin so, or are so as a whole. */
  readonly #beginnings = new Map<string, number>();
  readonly #wholes = new Map<string, number>();

  add(sequence: Sequence): void {
    this.#count(sequence, 1);
  }

  /** Forgets one that was added. */
  remove(sequence: Sequence): void {
    this.#count(sequence, -1);
  }

  /** Whether the sequence begins like one of these as a whole, or one of these like it. */
  clashes(sequence: Sequence): boolean {
    const paths = beginnings(sequence);
    return this.#beginnings.has(paths.at(-1) ?? '') || paths.some((path) => this.#wholes.has(path));
  }

  #count(sequence: Sequence, change: 1 | -1): void {
    const paths = beginnings(sequence);
    for (const path of paths) count(this.#beginnings, path, change);
    count(this.#wholes, paths.at(-1) ?? '', change);
  }
}

/** All beginnings as keys, the whole last: two characters a knock, the port and the protocol. */
function beginnings(sequence: Sequence): string[] {
  let path = '';
  return sequence.map(({ protocol, port }) => {
    path += String.fromCharCode(port, PROTOCOL_NUMBER[protocol]);
    return path;
  });
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + change;
  if (now > 0) counts.set(key, now);
  else counts.delete(key);
}
