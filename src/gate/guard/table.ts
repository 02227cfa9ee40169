import type { Arming, ElementChange, Firewall, GuardState } from '../../core/firewall.js';
import type { Steps, StepsChange } from '../../core/knock/automaton.js';
import type { Log } from '../log.js';
import type { DesiredContents } from './desired-contents.js';
import type { RuleBook } from './rule-book.js';

export interface GuardTableOptions {
  readonly firewall: Firewall;
  readonly desired: DesiredContents;
  readonly book: RuleBook;
  readonly steps: () => Steps;
  readonly log: Log;
  /**
   * Told when the guard was put up over connections that may be older. Conntrack may take whoever spoke first since then for
   * the one who began, and so what a stranger says for a reply.
   */
  readonly onLoaded: () => Promise<void>;
  /** Told that the kernel may have sets for other scopes than before. */
  readonly onShaped: () => void;
}

/** Our table in the kernel, as far as it is there: where it is not, changes come to nothing; they are in what is loaded next. */
export class GuardTable {
  readonly #o: GuardTableOptions;
  /** Whether changes can be written. */
  isThere = false;
  #loading: Promise<void> | undefined;
  /** The latest write of the interval sets, and the one that waits for it. */
  #ranges: Promise<void> = Promise.resolve();
  #nextRanges: Promise<void> | undefined;

  constructor(options: GuardTableOptions) {
    this.#o = options;
  }

  /** Puts the whole guard up, over whatever connections there are. */
  async putUp(arming: Arming): Promise<void> {
    await this.load(arming);
    const { onLoaded, log } = this.#o;
    await onLoaded().catch((error) => log.warn({ err: error }, 'older connections could not be looked at'));
  }

  /** Loads the table, with what it should hold at this moment. */
  async load(arming: Arming): Promise<void> {
    const { firewall, desired, book, steps, onShaped } = this.#o;
    const { shape } = book;
    const elements = { [Symbol.iterator]: () => desired.elements() };
    const contents = { shape, elements, ranges: desired.ranges(), steps: new Map(steps()) };
    this.#loading = firewall.load(contents, arming).then(() => {
      this.isThere = true;
      onShaped();
    });
    await this.#loading.finally(() => {
      this.#loading = undefined;
    });
  }

  /** How the kernel holds it. */
  async inspect(): Promise<GuardState> {
    return await this.#o.firewall.inspect(this.#o.book.shape);
  }

  /** Finds out whether it is there. */
  async lookAgain(): Promise<void> {
    const { table } = await this.inspect();
    this.isThere = table === 'intact' || table === 'foreign';
  }

  async change(change: ElementChange): Promise<void> {
    if (this.isThere || (await this.#isThereSoon())) await this.#o.firewall.change(change);
  }

  /**
   * Brings the interval sets to what they should hold. All of it is looked at each time: so whoever asks while one write is under
   * way shares the next.
   */
  async setRanges(): Promise<void> {
    this.#nextRanges ??= this.#ranges.then(() => {
      this.#nextRanges = undefined;
      const write = this.#writeRanges();
      this.#ranges = write.catch(() => undefined);
      return write;
    });
    await this.#nextRanges;
  }

  async #writeRanges(): Promise<void> {
    const { firewall, desired } = this.#o;
    if (this.isThere || (await this.#isThereSoon())) await firewall.setRanges(desired.ranges());
  }

  async changeSteps({ removed, added }: StepsChange): Promise<void> {
    // Behind what is being loaded: that has the steps of the moment in which it began.
    if (this.isThere || this.#loading !== undefined) await this.#o.firewall.changeSteps(removed, added);
  }

  async #isThereSoon(): Promise<boolean> {
    await this.#loading?.catch(() => undefined);
    return this.isThere;
  }
}
