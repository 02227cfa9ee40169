import { write } from 'node:fs';

/** What may wait for a reader, in characters: some ten thousand lines. */
const LONGEST_BACKLOG = 4_000_000;
const LARGEST_WRITE = 65_536;
/** How soon a pipe that was full is tried again, in milliseconds. */
const RETRY_MS = 10;

/**
 * Writes lines to a file, pipe or terminal in their order, and never waits for it: a reader that does not keep up costs
 * lines, and nobody's knock. A reader that has gone is no error.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #onLost: (lines: number) => void;
  #lines: string[] = [];
  #size = 0;
  #lost = 0;
  #isWriting = false;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  /** @param options.onLost told, when the reader has caught up, how many lines were thrown away meanwhile */
  constructor(options: { fd: number; onLost: (lines: number) => void }) {
    this.#fd = options.fd;
    this.#onLost = options.onLost;
  }

  write(line: string): void {
    if (this.#isClosed) return;
    if (this.#size + line.length > LONGEST_BACKLOG) {
      this.#lost++;
      return;
    }
    this.#lines.push(line);
    this.#size += line.length;
    if (!this.#isWriting) this.#next();
  }

  /** Waits for the reader, for `limit` milliseconds at most; what is not taken by then is thrown away. */
  async close(limit: number): Promise<void> {
    if (this.#isWriting) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limit);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#end();
  }

  #next(): void {
    if (this.#lines.length === 0 && this.#lost > 0) {
      const lost = this.#lost;
      this.#lost = 0;
      this.#isWriting = true;
      this.#onLost(lost);
    }
    this.#isWriting = this.#lines.length > 0;
    if (!this.#isWriting) {
      this.#onIdle?.();
      return;
    }
    let size = 0;
    const end = this.#lines.findIndex((line) => {
      size += line.length;
      return size > LARGEST_WRITE;
    });
    const piece = this.#lines.splice(0, end < 0 ? this.#lines.length : Math.max(1, end)).join('');
    this.#size -= piece.length;
    this.#send(Buffer.from(piece));
  }

  #send(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      if (this.#isClosed) return;
      if (error?.code === 'EAGAIN') setTimeout(() => this.#send(bytes), RETRY_MS);
      else if (error !== null) this.#end();
      else if (written < bytes.length) this.#send(bytes.subarray(written));
      else this.#next();
    });
  }

  #end(): void {
    this.#isClosed = true;
    this.#lines = [];
    this.#onIdle?.();
  }
}
