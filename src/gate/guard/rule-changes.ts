import { SallyportError } from '../../core/errors.js';
import type { Arming, Firewall } from '../../core/firewall.js';
import type { GuardRules } from '../../core/rules.js';
import { compareRules } from '../../core/rules-change.js';
import { type Duration, seconds } from '../../core/time.js';
import { type RuleBook, rulesDigest } from './rule-book.js';
import type { GuardStanding } from './standing.js';
import type { GuardTable } from './table.js';
import type { GuardWords } from './words.js';

/** How long a guard that is put up again, or a change of it, holds unless confirmed. */
const PROVISION: Duration = seconds(60);

const FOR_GOOD: Arming = { kind: 'permanent' };

/** A change of the rules as it was asked for. */
export interface RulesRequest {
  readonly rules: GuardRules;
  /** How long it holds unless confirmed; a minute where it is left out. */
  readonly provision?: Duration | undefined;
}

export interface RuleChangesOptions {
  readonly firewall: Firewall;
  readonly table: GuardTable;
  readonly standing: GuardStanding;
  readonly words: GuardWords;
  readonly book: RuleBook;
  /** The configuration asks for other rules, which nobody has confirmed when they were tried. */
  readonly isDeclined: boolean;
  /** Puts up a guard that has waited. */
  readonly endWait: () => Promise<void>;
  /** The kernel did not take the rules that should hold now. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Changes which rules hold, one change after the other: provisionally first, with the previous rules loaded behind them, so
 * that the kernel comes back to those by itself; then for good, or back.
 */
export class RuleChanges {
  readonly #o: RuleChangesOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #confirming: Promise<void> | undefined;
  #isDeclined: boolean;
  #unkept: unknown;

  constructor(options: RuleChangesOptions) {
    this.#o = options;
    this.#isDeclined = options.isDeclined;
  }

  get isDeclined(): boolean {
    return this.#isDeclined;
  }

  /** Whether a change is provisional that gives way to the previous rules. */
  get isChanging(): boolean {
    const { standing, book } = this.#o;
    return standing.mode === 'provisional' && book.fallback !== null;
  }

  /** Why the rules that last are not kept for a boot; undefined where they are. */
  get unkept(): unknown {
    return this.#unkept;
  }

  /** Has whatever looks at the rules, and changes them, take its turn. Not to be called within a turn. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** The guard is up, at the start. */
  async started(arming: Arming): Promise<void> {
    if (arming.kind === 'provisional') return this.#sayProvisional(arming.remaining);
    if (this.#isDeclined) this.#o.words.stillDeclined();
    await this.#keep();
  }

  #sayProvisional(remaining: Duration): void {
    const { words, book } = this.#o;
    if (book.fallback === null) words.provisional(remaining);
    else words.changing(remaining);
  }

  /** Makes a provisional guard last. @throws SP_FIREWALL_OPEN where there is none */
  async confirm(why: string): Promise<void> {
    if (this.#o.standing.mode === 'guarding') {
      if (this.#unkept !== undefined) await this.inTurn(() => this.#keep());
      return;
    }
    this.#needsProvisional();
    this.#confirming ??= this.inTurn(() => this.#confirm(why)).finally(() => {
      this.#confirming = undefined;
    });
    await this.#confirming;
  }

  async #confirm(why: string): Promise<void> {
    this.#needsProvisional();
    const { book, firewall, standing, words } = this.#o;
    if (book.fallback === null) await firewall.arm(FOR_GOOD);
    else await this.#load(book.current, null, FOR_GOOD);
    this.#isDeclined = false;
    standing.armed(FOR_GOOD);
    await words.confirmed(why);
    await this.#keep();
  }

  #needsProvisional(): void {
    if (this.#o.standing.mode !== 'provisional') throw new SallyportError('SP_FIREWALL_OPEN', { what: 'confirm' });
  }

  /** Ends a provisional guard now. @throws SP_NOTHING_PROVISIONAL */
  async rollback(): Promise<void> {
    await this.inTurn(async () => {
      const { standing, book, firewall } = this.#o;
      if (standing.mode !== 'provisional') throw new SallyportError('SP_NOTHING_PROVISIONAL');
      const why = 'rolled back by an operator';
      if (book.fallback !== null) return await this.#revert(why, book.fallback);
      await firewall.unload();
      await standing.reverted(why);
    });
  }

  /** Puts up other rules, or the same ones again, for a while. @returns whether a change that waited gave way */
  async apply({ rules, provision = PROVISION }: RulesRequest): Promise<boolean> {
    return await this.inTurn(async () => {
      const { book, standing } = this.#o;
      if (standing.mode === 'guarding' && rulesDigest(rules) === rulesDigest(book.current)) return false;
      const isReplacing = this.isChanging;
      const hasLasting = standing.mode === 'guarding' || standing.mode === 'failed';
      const fallback = isReplacing ? book.fallback : hasLasting ? book.current : null;
      const arming = { kind: 'provisional', remaining: provision } as const;
      await this.#load(rules, fallback, arming);
      this.#isDeclined = false;
      standing.armed(arming);
      this.#sayProvisional(provision);
      return isReplacing;
    });
  }

  /**
   * Brings rules that last to what was found out of the host meanwhile: nobody has asked for it, so nobody has to confirm it. Comes
   * to nothing where other rules hold by now, or a change waits to be confirmed.
   */
  async adjust(from: GuardRules, to: GuardRules): Promise<void> {
    await this.inTurn(async () => {
      const { standing, book, words } = this.#o;
      if (standing.mode !== 'guarding' || book.current !== from) return;
      await this.#load(to, null, FOR_GOOD);
      words.adjusted(compareRules(from, to).map(({ text }) => text));
      await this.#keep();
    });
  }

  /** The time of a provisional guard is over, or of one that waits. A confirmation that is under way comes first. */
  lapsed(): void {
    const { standing, endWait, onFailed } = this.#o;
    this.inTurn(() => {
      return standing.mode === 'waiting' ? endWait() : this.lapse('nobody confirmed it, and no knock opened it');
    }).catch(onFailed);
  }

  /** As `lapsed`, within a turn. */
  async lapse(why: string): Promise<void> {
    const { standing, book } = this.#o;
    if (standing.mode !== 'provisional') return;
    if (book.fallback === null) await standing.reverted(why);
    else await this.#revert(why, book.fallback);
  }

  /** Ends what was never confirmed, without a word: it may be tried again. */
  async takeDown(): Promise<void> {
    await this.inTurn(async () => {
      const { standing, book, firewall, table } = this.#o;
      if (book.fallback !== null) {
        await this.#load(book.fallback, null, FOR_GOOD);
        return standing.armed(FOR_GOOD);
      }
      standing.takenDown();
      await firewall.unload();
      table.isThere = false;
    });
  }

  /** The previous rules hold for good. The kernel may have come back to them by itself. */
  async #revert(why: string, previous: GuardRules): Promise<void> {
    const { book, standing, table, words, onFailed } = this.#o;
    const declined = rulesDigest(book.current);
    book.set(previous, null);
    this.#isDeclined = true;
    standing.armed(FOR_GOOD);
    await table.putUp(FOR_GOOD).catch(onFailed);
    await words.declined(why, declined);
  }

  /** Loads other rules. Where the kernel does not take them, all is as before. */
  async #load(current: GuardRules, fallback: GuardRules | null, arming: Arming): Promise<void> {
    const { book, table } = this.#o;
    const before = [book.current, book.fallback] as const;
    book.set(current, fallback);
    try {
      await table.putUp(arming);
    } catch (error) {
      book.set(...before);
      throw error;
    }
  }

  /** Keeps the rules for a boot. The guard is up: what hinders it is told, and no failure. */
  async #keep(): Promise<void> {
    const { book, firewall, words } = this.#o;
    try {
      await firewall.keep({ layout: book.shape.layout, rules: book.current });
      this.#unkept = undefined;
    } catch (error) {
      this.#unkept = error;
      words.unkept(error);
    }
  }
}
