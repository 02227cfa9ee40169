export interface ErrorEntry {
  /** The public text. `{name}` is filled from the details. */
  readonly text: string;
  /** What to do next, filled in the same way. */
  readonly fix: string;
  /** Whether the words of a command were wrong (exit status 2 instead of 1). */
  readonly usage: boolean;
}

/** The errors of one area, by their codes. */
export type ErrorTable = Readonly<Record<`SP_${string}`, ErrorEntry>>;
