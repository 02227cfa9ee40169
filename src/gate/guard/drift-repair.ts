import type { Arming, Firewall, GuardState } from '../../core/firewall.js';
import type { ContentsRepair } from './contents-repair.js';
import { isUntouched } from './provision.js';
import { type Culprit, nameCulprits, RepairRounds } from './repair-rounds.js';
import type { RuleBook } from './rule-book.js';
import type { RuleChanges } from './rule-changes.js';
import type { GuardStanding } from './standing.js';
import type { GuardTable } from './table.js';
import type { GuardWords } from './words.js';

export interface DriftRepairOptions {
  readonly firewall: Firewall;
  readonly table: GuardTable;
  readonly contents: ContentsRepair;
  readonly standing: GuardStanding;
  readonly words: GuardWords;
  readonly book: RuleBook;
  readonly changes: RuleChanges;
}

/** Puts right what others change in our table: its rules, what fills it, and whether it is armed. */
export class DriftRepair {
  readonly #o: DriftRepairOptions;
  readonly #rounds: RepairRounds;

  constructor(options: DriftRepairOptions) {
    this.#o = options;
    this.#rounds = new RepairRounds(
      (culprits) => options.changes.inTurn(() => this.#repair(culprits)),
      (error) => options.standing.failed(error),
    );
  }

  stop(): void {
    this.#rounds.stop();
  }

  /**
   * Looks, and puts right what is wrong. Calls that come meanwhile share a round.
   * @param culprit null where nobody is known to have changed anything: then nothing is said unless something was wrong
   */
  repair(culprit: Culprit | null): Promise<void> {
    return this.#rounds.add(culprit);
  }

  /** Looks on its own account: says nothing where nothing is wrong. */
  async repairQuietly(): Promise<void> {
    if (this.#rounds.isRunning) return;
    const { table, standing } = this.#o;
    try {
      const found = await table.inspect();
      const isOpened = found.table === 'opened';
      if (isOpened ? standing.mode === 'open' : found.table === 'intact' && !(await this.#hasDrift(found))) return;
    } catch {
      // The repair meets the same problem and says so.
    }
    await this.repair(null);
  }

  /** A change of ours failed: what the kernel holds is not what it should be, and is looked at soon. */
  failed(error: unknown): void {
    this.#o.standing.failed(error);
    this.#rounds.retry();
  }

  async #hasDrift(found: GuardState): Promise<boolean> {
    const { standing, contents } = this.#o;
    if (standing.mode !== 'guarding' && standing.mode !== 'provisional') return false;
    const wanted = standing.arming();
    return wanted === undefined || !this.#isArmed(found, wanted) || (await contents.hasDrift());
  }

  #isArmed({ arming, hasFallback }: GuardState, wanted: Arming): boolean {
    return isUntouched(arming, wanted) && hasFallback === (this.#o.book.fallback !== null);
  }

  async #repair(culprits: readonly Culprit[]): Promise<void> {
    const { firewall, table, contents, standing } = this.#o;
    const who = nameCulprits(culprits);
    const found = await table.inspect();
    if (found.table === 'none') return;
    if (found.table === 'opened') {
      if (standing.mode !== 'open') standing.opened(who);
      return;
    }
    if (standing.mode === 'reverted' || standing.mode === 'open' || standing.mode === 'waiting') {
      table.isThere = found.table !== 'absent';
      return standing.recovered();
    }
    const arming = standing.arming();
    if (arming === undefined) return await this.#o.changes.lapse('its time is over');
    if (found.table !== 'intact') {
      await table.putUp(arming);
      standing.armed(arming);
      const what = found.table === 'absent' ? 'the table was deleted' : 'the rules were changed';
      return this.#repaired(`${what} by ${who}; all is back as it was`);
    }
    const repairs = await contents.correct(culprits.length === 0);
    if (!this.#isArmed(found, arming)) {
      await firewall.arm(arming);
      repairs.push('the guard was switched off');
    }
    if (repairs.length === 0 && culprits.length === 0) return standing.recovered();
    const what = repairs.length > 0 ? repairs.join(', ') : 'something in our table was changed';
    this.#repaired(`${what} by ${who}; put right`);
  }

  #repaired(detail: string): void {
    this.#o.standing.recovered();
    this.#o.words.repaired(detail);
  }
}
