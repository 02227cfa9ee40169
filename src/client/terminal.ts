import { humanDuration } from '../core/time.js';
import type { KnockEvent } from './knock.js';

/** A stream that text goes to, as far as the client looks at it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Puts colours around text, or leaves it alone. */
interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** ECMA-48 SGR: each style is taken back by its own code, so that styles nest. */
export function paint(color: boolean): Paint {
  const style = (on: number, off: number) => (text: string) => (color ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return { bold: style(1, 22), dim: style(2, 22), green: style(32, 39), yellow: style(33, 39) };
}

/** Whether to move the cursor and draw: a terminal, and not a dumb one. */
export function isLively(output: Output, env: Environment): boolean {
  return output.isTTY === true && env.TERM !== 'dumb';
}

/** Whether to colour: a terminal, and no NO_COLOR (no-color.org: any value but the empty one). */
export function isColored(output: Output, env: Environment): boolean {
  return isLively(output, env) && (env.NO_COLOR ?? '') === '';
}

/** Shows what is being done: a spinner on a terminal, one line for each step in a pipe. */
export interface Progress {
  say(text: string): void;
  /** Takes the spinner away. */
  stop(): void;
}

const FRAMES = { plain: ['-', '\\', '|', '/'], unicode: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] } as const;
const FRAME_MS = 80;

export const silentProgress: Progress = { say() {}, stop() {} };

export function createProgress(output: Output, env: Environment): Progress {
  return isLively(output, env) ? spinner(output, env) : { say: (text) => void output.write(`${text}\n`), stop() {} };
}

/** Whether the terminal's character set is Unicode, as far as the locale tells. */
export function hasUnicode(env: Environment): boolean {
  return /utf-?8/i.test(`${env.LC_ALL ?? ''}${env.LC_CTYPE ?? ''}${env.LANG ?? ''}`);
}

function spinner(output: Output, env: Environment): Progress {
  const frames = hasUnicode(env) ? FRAMES.unicode : FRAMES.plain;
  let text = '';
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  // A line that wraps could not be drawn over: it is cut to the width (0 where the terminal does not know its own).
  const draw = () => {
    const line = `${frames[frame++ % frames.length]} ${text}`;
    output.write(`\r${line.slice(0, (output.columns || 80) - 1)}\u001b[K`);
  };
  return {
    say(next) {
      text = next;
      draw();
      timer ??= setInterval(draw, FRAME_MS).unref();
    },
    stop() {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      output.write('\r\u001b[K');
    },
  };
}

/** What an event of the engine is called in plain words. */
export function describe(event: KnockEvent, tries: number, port: string): string {
  const count = event.attempt > 1 ? ` (try ${event.attempt} of ${tries})` : '';
  switch (event.kind) {
    case 'knocking':
      return `Knocking on ${event.to.address}${count}`;
    case 'waiting':
      return `Waiting for ${port} on ${event.to.address}${count}`;
    case 'pausing':
      return `Still shut; trying again in ${humanDuration(event.gap)}`;
  }
}
