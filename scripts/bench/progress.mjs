/** Says how far a measurement is, on stderr: drawn over on a terminal, a line for each part elsewhere. */
export class Progress {
  #out;
  #isTerminal;
  #part = '';

  constructor(out = process.stderr) {
    this.#out = out;
    this.#isTerminal = out.isTTY === true;
  }

  /** Begins a part. */
  part(text) {
    this.#part = text;
    this.#out.write(this.#isTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
  }

  /** Within a part. */
  step(done, whole) {
    if (this.#isTerminal) this.#out.write(`\r\x1b[2K${this.#part}: ${done} of ${whole}`);
  }

  end() {
    if (this.#isTerminal) this.#out.write('\r\x1b[2K');
  }
}
