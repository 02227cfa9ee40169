import type { Target } from '../address.js';
import type { PortRange } from '../ports.js';
import type { Sequence } from '../sequence.js';
import type { Duration } from '../time.js';

/**
 * What was made of a line: `taken` becomes something of ours; `not_needed` is understood, and done here anyway; `not_taken` is
 * understood, and for a person to decide; `not_understood` has no counterpart, or no sense.
 */
export type Verdict = 'taken' | 'not_needed' | 'not_taken' | 'not_understood';

/** The words never repeat what may be a secret: no port of a sequence, no key. */
export interface LineVerdict {
  /** Counted from 1. */
  readonly line: number;
  readonly verdict: Verdict;
  readonly words: string;
}

/** Who is let in: an address or a CIDR, or a host name in lower case. */
export type Who =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'name'; readonly name: string };

/** Somebody whom a line lets in. */
export interface EntryWish {
  readonly line: number;
  readonly who: Who;
  /** Null for all ports. */
  readonly ports: readonly PortRange[] | null;
  readonly note: string;
  /** What of the line has no counterpart, so that the entry lets in to more. */
  readonly wider: string | null;
}

/** Somebody who knocks. */
export interface UserWish {
  readonly line: number;
  readonly name: string;
  /** Null for all ports. */
  readonly ports: readonly PortRange[] | null;
  /** Null where it closed by no clock. */
  readonly ttl: Duration | null;
  /** Null where there is none that could be kept; then `noSequence` says why. */
  readonly sequence: Sequence | null;
  readonly noSequence: string | null;
}

/** One file as it was read. */
export interface Reading {
  readonly lines: readonly LineVerdict[];
  readonly entries: readonly EntryWish[];
  readonly users: readonly UserWish[];
}

/** Collects a reading. The same words for the same line count once. */
export class ReadingBuilder {
  readonly #lines = new Map<string, LineVerdict>();
  readonly #entries: EntryWish[] = [];
  readonly #users: UserWish[] = [];

  say(line: number, verdict: Verdict, words: string): void {
    this.#lines.set(`${line} ${verdict} ${words}`, { line, verdict, words });
  }

  entry(wish: EntryWish): void {
    this.#entries.push(wish);
  }

  user(wish: UserWish): void {
    this.#users.push(wish);
  }

  get entries(): readonly EntryWish[] {
    return this.#entries;
  }

  done(): Reading {
    return { lines: [...this.#lines.values()], entries: this.#entries, users: this.#users };
  }
}

export function whoText(who: Who): string {
  return who.kind === 'target' ? who.target : who.name;
}
