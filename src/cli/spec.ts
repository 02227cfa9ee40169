import { InvalidArgumentError, Option } from 'commander';
import type { Call } from './call.js';

/** One command as data: its words, and the function that carries it out. */
export interface Spec {
  /** The words that call it: `user add`. */
  readonly name: string;
  /** As commander writes them: `<name> [other]`. */
  readonly takes?: string;
  /** What the arguments are, by name. */
  readonly arguments?: Readonly<Record<string, string>>;
  readonly group?: string;
  readonly summary: string;
  /** More than the summary, for its own help. */
  readonly about?: string;
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** Takes no --json. */
  readonly speechless?: boolean;
  /** Resolves with the exit status. Imports what it needs. */
  readonly run: (call: Call) => Promise<number>;
}

export const option = (flags: string, description: string): Option => new Option(flags, description);

/** An option that takes names with commas between them. Never empty: no names would mean all. */
export function namesOption(flags: string, description: string): Option {
  return option(flags, description).argParser((text: string) => {
    const names = text.split(',').map((name) => name.trim());
    if (names.some((name) => name === '')) throw new InvalidArgumentError('Give names with commas between them.');
    return names;
  });
}

/** An option that takes a whole number. */
export function numberOption(flags: string, description: string, least: number, most: number): Option {
  return option(flags, description).argParser((text: string) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    }
    return value;
  });
}

/** An option that takes any text but none. */
export function textOption(flags: string, description: string): Option {
  return option(flags, description).argParser((text: string) => {
    if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
    return text;
  });
}
