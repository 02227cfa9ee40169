import { SallyportError } from '../../core/errors.js';
import type { Arming, ElementChange, GuardState } from '../../core/firewall.js';
import type { StepsChange } from '../../core/knock/automaton.js';
import type { GuardRules } from '../../core/rules.js';
import type { Duration, Monotonic } from '../../core/time.js';
import type { Door } from '../grant-elements.js';
import type { Recovered } from '../recovery.js';
import { type Adoption, ContentsRepair } from './contents-repair.js';
import { DriftRepair } from './drift-repair.js';
import { sameArming } from './provision.js';
import type { Culprit } from './repair-rounds.js';
import type { RuleBook } from './rule-book.js';
import { RuleChanges, type RulesRequest } from './rule-changes.js';
import { type GuardMode, GuardStanding } from './standing.js';
import { GuardTable, type GuardTableOptions } from './table.js';
import { GuardWords, type GuardWordsOptions } from './words.js';

const DECLINED = 'the configuration asks for a change that was not confirmed: sallyport firewall plan';

/** Up to so many grants all that the kernel holds is looked at before knocks are answered, more of them afterwards. */
const FEW = 5000;

export interface GuardOptions extends GuardTableOptions, GuardWordsOptions {
  readonly book: RuleBook;
  readonly isConfirmed: boolean;
  /** How long the very first guard holds, and a change found at the start, unless somebody shows that he can get in. */
  readonly firstProvision: Duration;
  /** The configuration asks for other rules, which nobody has confirmed when they were tried. */
  readonly isDeclined: boolean;
}

/**
 * Keeps the guard up: loads it, lets a provisional one lapse or makes it last, and puts right what others change.
 */
export class Guard implements Door {
  readonly #o: GuardOptions;
  readonly #contents: ContentsRepair;
  readonly #table: GuardTable;
  readonly #standing: GuardStanding;
  readonly #repairs: DriftRepair;
  readonly #words: GuardWords;
  readonly #changes: RuleChanges;

  constructor(options: GuardOptions) {
    this.#o = options;
    const { firewall, book, clock, log } = options;
    const table = new GuardTable(options);
    const words = new GuardWords(options);
    const contents = new ContentsRepair(options);
    const standing = new GuardStanding({ table, words, clock, log, onLapsed: () => this.#changes.lapsed() });
    this.#table = table;
    this.#words = words;
    this.#contents = contents;
    this.#standing = standing;
    const changes = new RuleChanges({
      ...{ firewall, table, standing, words, book },
      isDeclined: options.isDeclined,
      endWait: () => this.#endWait(),
      onFailed: (error) => this.#repairs.failed(error),
    });
    this.#changes = changes;
    this.#repairs = new DriftRepair({ firewall, table, contents, standing, words, book, changes });
  }

  get mode(): GuardMode {
    return this.#standing.mode;
  }

  /** Why it failed or waits, or what the configuration asks for in vain, in words for people. */
  get detail(): string | null {
    return this.#standing.detail ?? (this.#changes.isDeclined ? DECLINED : null);
  }

  /** Whether a change is provisional that gives way to the previous rules. */
  get isChanging(): boolean {
    return this.#changes.isChanging;
  }

  /** Why the rules that last are not kept for a boot; undefined where they are. */
  get unkept(): unknown {
    return this.#changes.unkept;
  }

  /** How long a guard that waits does so still. */
  get guardsIn(): Duration | undefined {
    return this.#standing.guardsIn;
  }

  /** When a provisional guard lapses. */
  get revertsAt(): Monotonic | undefined {
    return this.#standing.revertsAt;
  }

  /**
   * Brings the kernel to what it should be, from whatever state it was found in.
   * @param recovered what to look at first, and whom to adopt
   * @param wait for how long nothing is guarded yet, where no guard is found
   */
  async start(found: GuardState, { suspects, adoption }: Partial<Recovered> = {}, wait?: Duration): Promise<void> {
    if (found.table === 'none') return await this.#startWithout();
    if (found.table === 'absent' && wait !== undefined) {
      adoption?.end();
      return this.#standing.waits(wait);
    }
    if (found.table === 'opened') {
      adoption?.end();
      return this.#standing.foundOpen();
    }
    const { book } = this.#o;
    const arming = this.#wantedArming(found);
    if (found.table === 'intact') {
      this.#table.isThere = true;
      await this.#contents.correctOpen(suspects);
      await this.#lookAtAll(adoption);
      const isArmed = sameArming(found.arming, arming) && found.hasFallback === (book.fallback !== null);
      if (!isArmed) await this.#o.firewall.arm(arming);
    } else {
      // It is replaced: what it tells of grants must be known before.
      if (found.table === 'foreign' && adoption !== undefined) await this.#contents.adoptAll(adoption);
      adoption?.end();
      await this.#table.putUp(arming);
    }
    this.#standing.armed(arming);
    await this.#changes.started(arming);
  }

  /** Everything but the closing goes on as ever: what would go to the packet filter comes to nothing there. */
  async #startWithout(): Promise<void> {
    await this.#table.load({ kind: 'permanent' });
    this.#standing.without();
  }

  stop(): void {
    this.#standing.stop();
    this.#repairs.stop();
  }

  /** True while the guard has not been shown to let its owner in. */
  get isProvisional(): boolean {
    return this.mode === 'provisional';
  }

  change(change: ElementChange): Promise<void> {
    return this.#mended(this.#table.change(change));
  }

  setRanges(): Promise<void> {
    return this.#mended(this.#table.setRanges());
  }

  /** Writes how `steps` has just changed. To be called in the same turn: what is loaded or put right meanwhile relies on it. */
  async changeSteps(change: StepsChange): Promise<void> {
    if (change.removed.length + change.added.length === 0) return;
    this.#contents.stepsChanged(change);
    await this.#mended(this.#table.changeSteps(change));
  }

  proven(): void {
    if (this.mode !== 'provisional') return;
    this.confirm('a knock has opened it').catch((error) =>
      this.#o.log.error({ err: error }, 'the guard could not be confirmed'),
    );
  }

  /** Makes a provisional guard last. @throws SP_FIREWALL_OPEN where there is none, SP_FIREWALL_NONE */
  async confirm(why = 'confirmed by an operator'): Promise<void> {
    this.#needsFilter('confirm');
    await this.#changes.confirm(why);
  }

  /** Ends a provisional guard now: the previous rules hold, or nothing. @throws SP_NOTHING_PROVISIONAL, SP_FIREWALL_NONE */
  async rollback(): Promise<void> {
    this.#needsFilter('roll back');
    await this.#changes.rollback();
  }

  /**
   * Changes the rules for a while, with the last rules that lasted behind them; or puts the guard up again after it
   * lapsed, failed, or was opened by panic. A change that waits to be confirmed gives way to this one.
   * @returns whether one did
   * @throws SP_FIREWALL_NONE
   */
  async apply(request: RulesRequest): Promise<boolean> {
    this.#needsFilter('put up');
    return await this.#changes.apply(request);
  }

  /** Brings the rules that last to what the host is now, without anybody's asking. Nothing where others hold, or a change waits. */
  async adjust(from: GuardRules, to: GuardRules): Promise<void> {
    await this.#changes.adjust(from, to);
  }

  /** Ends what was never confirmed, at the end of the daemon: the previous rules stay, or nothing. */
  async takeDown(): Promise<void> {
    this.#repairs.stop();
    await this.#changes.takeDown();
  }

  /**
   * Somebody else changed something in our table, or may have.
   * @param culprit null where nobody is known to have changed anything: then nothing is said unless something was wrong
   */
  repair(culprit: Culprit | null): Promise<void> {
    return this.#repairs.repair(culprit);
  }

  /** Looks whether somebody has changed our table, and puts it right. */
  repairQuietly(): Promise<void> {
    return this.#repairs.repairQuietly();
  }

  async #mended(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#repairs.failed(error);
      throw error;
    }
  }

  /** @throws SP_FIREWALL_NONE */
  #needsFilter(what: string): void {
    if (this.mode === 'none') throw new SallyportError('SP_FIREWALL_NONE', { what });
  }

  /**
   * At the start nobody waits for it where there are many grants: these are long lists, and most likely right. A sequence that
   * nobody has any more opens nothing meanwhile, since its user is not found.
   */
  async #lookAtAll(adoption?: Adoption): Promise<void> {
    this.#contents.correctSteps().catch((error) => this.#repairs.failed(error));
    const failed = (error: unknown) => this.#o.log.warn({ err: error }, 'the kernel could not be looked at again');
    const grants = this.#contents.correctGrants(undefined, adoption).finally(() => adoption?.end());
    grants.then(() => this.#contents.correctHeld()).catch(failed);
    if (this.#o.desired.grants <= FEW) await grants.catch(() => undefined);
  }

  async #endWait(): Promise<void> {
    const arming = this.#wantedArming({ table: 'absent', arming: null, hasFallback: false });
    this.#words.waited();
    // Armed even where it fails: the repair sees then that it ought to be up.
    await this.#table.putUp(arming).finally(() => this.#standing.armed(arming));
    await this.#changes.started(arming);
  }

  #wantedArming(found: GuardState): Arming {
    const isChange = this.#o.book.fallback !== null;
    if (this.#o.isConfirmed && !isChange) return { kind: 'permanent' };
    const isOurs = !isChange || found.table === 'intact';
    if (isOurs && found.arming?.kind === 'provisional') return found.arming;
    return { kind: 'provisional', remaining: this.#o.firstProvision };
  }
}
