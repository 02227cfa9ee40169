import { styleText } from 'node:util';
import type { Output } from '../io.js';

export type Format = Parameters<typeof styleText>[0];

/** How output may look: framed and coloured on a terminal, plain text without an escape anywhere else. */
export class Terminal {
  /** True where a person looks at it. */
  readonly fancy: boolean;
  readonly #colors: boolean;

  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    this.fancy = output.isTTY === true && env.TERM !== 'dumb';
    this.#colors = this.fancy && (env.NO_COLOR ?? '') === '';
  }

  paint(format: Format, text: string): string {
    return this.#colors && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  }
}
