import { vi } from 'vitest';

/**
 * AGI(agi:async) as Asterisk performs it: commands in their order, each as long as it takes. A key that is released while none
 * runs is lost; one during a wait or a sound ends that. Commands that neither wait nor play are worked off between two keys: they
 * read nothing from the channel, so what comes meanwhile stays there for the next one. Runs on fake timers.
 */
export class FakeAgi {
  readonly #done: (commandId: string, result: string) => void;
  readonly #waiting: { readonly command: string; readonly id: string }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running: { readonly command: string; readonly id: string } | undefined;
  /** Keys that nobody read. */
  lost = 0;
  /** All that was begun. */
  readonly log: string[] = [];
  /** Milliseconds that a message is on its way. */
  delay = 1;
  /** What the functions of the channel give. */
  variables: Readonly<Record<string, string>> = {};

  constructor(done: (commandId: string, result: string) => void) {
    this.#done = done;
  }

  readonly send = (command: string, id: string): void => {
    setTimeout(() => {
      this.#waiting.push({ command, id });
      if (this.#running === undefined) this.#next();
    }, this.delay);
  };

  /** A key is released. */
  press(digit: string): void {
    if (this.#running === undefined) this.lost++;
    else this.#end(`200 result=${digit.charCodeAt(0)}`);
  }

  #next(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.log.push(next.command);
      const [, ms] = /^WAIT FOR DIGIT (\d+)/.exec(next.command) ?? [];
      if (ms !== undefined || next.command.startsWith('EXEC')) {
        this.#running = next;
        this.#timer = setTimeout(() => this.#end('200 result=0'), ms === undefined ? 700 : Number(ms));
        return;
      }
      const [, name = ''] = /^GET FULL VARIABLE \$\{(.*)\}$/.exec(next.command) ?? [];
      const value = this.variables[name];
      this.#tell(next.id, value === undefined ? '200 result=0' : `200 result=1 (${value})`);
    }
    this.#running = undefined;
  }

  #end(result: string): void {
    clearTimeout(this.#timer);
    const { id } = this.#running ?? { id: '' };
    this.#tell(id, result);
    this.#next();
  }

  #tell(id: string, result: string): void {
    setTimeout(() => this.#done(id, result), this.delay);
  }
}

/** Lets so many milliseconds of fake time pass. */
export function pass(ms: number): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(ms);
}
