import { styleText } from 'node:util';
import type { Output } from '../io.js';

export type Format = Parameters<typeof styleText>[0];

/** How output may look: framed and coloured on a terminal, plain text without an escape anywhere else. */
export class Terminal {
  /** True where a person looks at it. */
  readonly fancy: boolean;
  /** How many characters a line has, where that is known. */
  readonly columns: number | undefined;
  readonly #colors: boolean;

  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    this.fancy = output.isTTY === true && env.TERM !== 'dumb';
    this.columns = output.columns === 0 ? undefined : output.columns;
    this.#colors = this.fancy && (env.NO_COLOR ?? '') === '';
  }

  paint(format: Format, text: string): string {
    return this.#colors && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  }
}
