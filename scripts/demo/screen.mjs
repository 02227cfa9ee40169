/** How the demo looks: coloured on a terminal (unless NO_COLOR), plain lines anywhere else. */
import { styleText } from 'node:util';

const BAR_WIDTH = 24;
const REDRAW_MS = 100;

export class Screen {
  #out;
  #isTerminal;
  #isColored;
  #scene = 0;
  #timer;

  constructor(out = process.stdout, env = process.env) {
    this.#out = out;
    this.#isTerminal = out.isTTY === true && env.TERM !== 'dumb';
    this.#isColored = this.#isTerminal && (env.NO_COLOR ?? '') === '';
  }

  paint(format, text) {
    return this.#isColored ? styleText(format, text, { validateStream: false }) : text;
  }

  line(text = '') {
    this.calm();
    this.#out.write(`${text}\n`);
  }

  title(text) {
    this.line(`\n ${this.paint('bold', text)}`);
  }

  /** Begins the next scene of the story. */
  scene(title) {
    this.#scene += 1;
    this.line(`\n ${this.paint(['bold', 'cyan'], `${this.#scene}. ${title}`)}`);
  }

  /** Words around what happens. */
  note(text) {
    this.line(`    ${this.paint('dim', text)}`);
  }

  /** What is done, and where. */
  command(role, text) {
    this.line(`    ${this.paint('yellow', role)} ${this.paint('dim', '$')} ${text}`);
  }

  /** What a program answered. */
  quote(text) {
    for (const line of text.trimEnd().split('\n')) this.line(`    ${this.paint('dim', '│')} ${line}`);
  }

  /** A claim, and whether it was really seen. */
  verdict(isSeen, claim, detail) {
    const mark = isSeen ? this.paint(['bold', 'green'], '✔ seen') : this.paint(['bold', 'red'], '✖ NOT SEEN');
    this.line(`    ${mark}  ${claim}${detail ? this.paint('dim', ` (${detail})`) : ''}`);
  }

  /** Something takes a while. On a terminal `draw` gives the text again and again, until the next line is written. */
  during(draw) {
    this.calm();
    if (!this.#isTerminal) return;
    const redraw = () => this.#out.write(`\r\x1b[2K    ${draw()}`);
    redraw();
    this.#timer = setInterval(redraw, REDRAW_MS);
  }

  /** A bar that runs out with the time. */
  bar(leftMs, wholeMs) {
    const filled = Math.min(BAR_WIDTH, Math.max(0, Math.round((leftMs / wholeMs) * BAR_WIDTH)));
    const color = leftMs < wholeMs / 4 ? 'red' : 'green';
    return this.paint(color, '█'.repeat(filled)) + this.paint('dim', '░'.repeat(BAR_WIDTH - filled));
  }

  /** Takes away what `during` draws. */
  calm() {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#out.write('\r\x1b[2K');
  }
}
