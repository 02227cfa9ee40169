import { SallyportError } from '../core/errors.js';
import type { Arming, ElementChange, Firewall, GuardState, RangeContents } from '../core/firewall.js';
import type { Steps, StepsChange } from '../core/knock/automaton.js';
import { type Clock, type Duration, type Monotonic, seconds } from '../core/time.js';
import { type Adoption, ContentsRepair } from './contents-repair.js';
import type { DesiredContents } from './desired-contents.js';
import type { Door } from './grant-elements.js';
import { GuardTable } from './guard-table.js';
import { GuardWords } from './guard-words.js';
import type { Log } from './log.js';
import { isUntouched, Provision, sameArming } from './provision.js';
import type { Recorder } from './recorder.js';
import type { Recovered } from './recovery.js';
import { type Culprit, nameCulprits, RepairRounds } from './repair-rounds.js';

/** How long a guard that is put up again holds unless confirmed. */
const PROVISION: Duration = seconds(60);

/** Up to so many grants all that the kernel holds is looked at before knocks are answered, more of them afterwards. */
const FEW = 5000;

/** Guarding for good; guarding until a time; lapsed; opened by panic; the packet filter fails; there is none. */
export type GuardMode = 'guarding' | 'provisional' | 'reverted' | 'open' | 'failed' | 'none';

/** Why nothing is guarded where there is no packet filter. */
const NOTHING_CLOSED = 'nothing is closed: firewall.driver is none';

export interface GuardOptions {
  readonly firewall: Firewall;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
  readonly desired: DesiredContents;
  readonly steps: () => Steps;
  /**
   * Told when the guard was put up over connections that may be older. Conntrack may take whoever spoke first since then for
   * the one who began, and so what a stranger says for a reply.
   */
  readonly onLoaded: () => Promise<void>;
  readonly isConfirmed: boolean;
  /** How long the very first guard holds unless somebody shows that he can get in. */
  readonly firstProvision: Duration;
}

/**
 * Keeps the guard up: loads it, lets a provisional one lapse or makes it last, and puts right what others change.
 */
export class Guard implements Door {
  readonly #o: GuardOptions;
  readonly #contents: ContentsRepair;
  readonly #provision: Provision;
  readonly #repairs: RepairRounds;
  readonly #table: GuardTable;
  readonly #words: GuardWords;
  #mode: GuardMode = 'failed';
  #isConfirmed: boolean;
  #confirming: Promise<void> | undefined;
  #detail: string | null = null;

  constructor(options: GuardOptions) {
    this.#o = options;
    this.#table = new GuardTable(options);
    this.#words = new GuardWords(options);
    this.#contents = new ContentsRepair(options);
    this.#provision = new Provision(options.clock, () => this.#lapsed());
    this.#repairs = new RepairRounds(
      (culprits) => this.#repairOnce(culprits),
      (error) => this.#failed(error),
    );
    this.#isConfirmed = options.isConfirmed;
  }

  get mode(): GuardMode {
    return this.#mode;
  }

  /** Why it failed, in words for people. */
  get detail(): string | null {
    return this.#detail;
  }

  /** When a provisional guard lapses. */
  get revertsAt(): Monotonic | undefined {
    return this.#provision.until;
  }

  /**
   * Brings the kernel to what it should be, from whatever state it was found in.
   * @param recovered what to look at first, and whom to adopt
   */
  async start(found: GuardState, { suspects, adoption }: Partial<Recovered> = {}): Promise<void> {
    if (found.table === 'none') return await this.#startWithout();
    if (found.table === 'opened') {
      this.#mode = 'open';
      adoption?.end();
      return this.#words.isOpen();
    }
    const arming = this.#wantedArming(found);
    if (found.table === 'intact') {
      this.#table.isThere = true;
      await this.#contents.correctOpen(suspects);
      await this.#lookAtAll(adoption);
      if (!sameArming(found.arming, arming)) await this.#o.firewall.arm(arming);
    } else {
      // It is replaced: what it tells of grants must be known before.
      if (found.table === 'foreign' && adoption !== undefined) await this.#contents.adoptAll(adoption);
      adoption?.end();
      await this.#load(arming);
    }
    this.#setArming(arming);
    if (arming.kind === 'provisional') this.#words.provisional(arming.remaining);
  }

  /** Everything but the closing goes on as ever: what would go to the packet filter comes to nothing there. */
  async #startWithout(): Promise<void> {
    await this.#table.load({ kind: 'permanent' });
    this.#mode = 'none';
    this.#detail = NOTHING_CLOSED;
    this.#words.nothingClosed(NOTHING_CLOSED);
  }

  stop(): void {
    this.#provision.clear();
    this.#repairs.stop();
  }

  /** True while the guard has not been shown to let its owner in. */
  get isProvisional(): boolean {
    return this.#mode === 'provisional';
  }

  change(change: ElementChange): Promise<void> {
    return this.#mended(this.#table.change(change));
  }

  setRanges(ranges: RangeContents): Promise<void> {
    return this.#mended(this.#table.setRanges(ranges));
  }

  /** Writes how `steps` has just changed. To be called in the same turn: what is loaded or put right meanwhile relies on it. */
  async changeSteps(change: StepsChange): Promise<void> {
    if (change.removed.length + change.added.length === 0) return;
    this.#contents.stepsChanged(change);
    await this.#mended(this.#table.changeSteps(change));
  }

  proven(): void {
    if (this.#mode !== 'provisional') return;
    this.confirm('a knock has opened it').catch((error) =>
      this.#o.log.error({ err: error }, 'the guard could not be confirmed'),
    );
  }

  /** Makes a provisional guard last. @throws SP_FIREWALL_OPEN where there is none, SP_FIREWALL_NONE */
  async confirm(why = 'confirmed by an operator'): Promise<void> {
    this.#needsFilter('confirm');
    if (this.#mode === 'guarding') return;
    if (this.#mode !== 'provisional') throw new SallyportError('SP_FIREWALL_OPEN', { what: 'confirm' });
    this.#confirming ??= this.#confirm(why).finally(() => {
      this.#confirming = undefined;
    });
    await this.#confirming;
  }

  async #confirm(why: string): Promise<void> {
    await this.#o.firewall.arm({ kind: 'permanent' });
    this.#setArming({ kind: 'permanent' });
    this.#isConfirmed = true;
    await this.#words.confirmed(why);
  }

  /** Takes a provisional guard down now. @throws SP_NOTHING_PROVISIONAL, SP_FIREWALL_NONE */
  async rollback(): Promise<void> {
    this.#needsFilter('roll back');
    if (this.#mode !== 'provisional') throw new SallyportError('SP_NOTHING_PROVISIONAL');
    await this.#o.firewall.unload();
    await this.#reverted('rolled back by an operator');
  }

  /** Puts the guard up again for a while, after it lapsed, failed, or was opened by panic. @throws SP_FIREWALL_NONE */
  async apply(): Promise<void> {
    this.#needsFilter('put up');
    if (this.#mode === 'guarding') return;
    const arming = { kind: 'provisional', remaining: PROVISION } as const;
    await this.#load(arming);
    this.#setArming(arming);
    this.#words.provisional(PROVISION);
  }

  /** Takes the guard down for good, at the end of a daemon whose guard was never confirmed. */
  async takeDown(): Promise<void> {
    this.stop();
    this.#mode = 'reverted';
    await this.#o.firewall.unload();
    this.#table.isThere = false;
  }

  /**
   * Somebody else changed something in our table: looks, and puts it right. Calls that come meanwhile share a round.
   * @param culprit null where nobody is known to have changed anything: then nothing is said unless something was wrong
   */
  repair(culprit: Culprit | null): Promise<void> {
    return this.#repairs.add(culprit);
  }

  /** Looks on its own account: says nothing where nothing is wrong. */
  async repairQuietly(): Promise<void> {
    if (this.#repairs.isRunning) return;
    try {
      const found = await this.#o.firewall.inspect();
      const isOpened = found.table === 'opened';
      if (isOpened ? this.#mode === 'open' : found.table === 'intact' && !(await this.#hasDrift(found))) return;
    } catch {
      // The repair meets the same problem and says so.
    }
    await this.repair(null);
  }

  /** Where a change of ours fails, what the kernel holds is not what it should: it is looked at soon. */
  async #mended(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  async #hasDrift({ arming }: GuardState): Promise<boolean> {
    if (this.#mode !== 'guarding' && this.#mode !== 'provisional') return false;
    const wanted = this.#provision.arming();
    return wanted === undefined || !isUntouched(arming, wanted) || (await this.#contents.hasDrift());
  }

  async #repairOnce(culprits: readonly Culprit[]): Promise<void> {
    const who = nameCulprits(culprits);
    const found = await this.#o.firewall.inspect();
    if (found.table === 'none') return;
    if (found.table === 'opened') {
      if (this.#mode !== 'open') await this.#opened(who);
      return;
    }
    if (this.#mode === 'reverted' || this.#mode === 'open') {
      this.#table.isThere = found.table !== 'absent';
      this.#detail = null;
      return;
    }
    const arming = this.#provision.arming();
    if (arming === undefined) return await this.#reverted('its time is over');
    if (found.table !== 'intact') {
      await this.#load(arming);
      this.#setArming(arming);
      const what = found.table === 'absent' ? 'the table was deleted' : 'the rules were changed';
      return this.#repaired(`${what} by ${who}; all is back as it was`);
    }
    const repairs = await this.#contents.correct(culprits.length === 0);
    if (!isUntouched(found.arming, arming)) {
      await this.#o.firewall.arm(arming);
      repairs.push('the guard was switched off');
    }
    if (repairs.length === 0 && culprits.length === 0) return this.#recovered();
    const what = repairs.length > 0 ? repairs.join(', ') : 'something in our table was changed';
    this.#repaired(`${what} by ${who}; put right`);
  }

  /** @throws SP_FIREWALL_NONE */
  #needsFilter(what: string): void {
    if (this.#mode === 'none') throw new SallyportError('SP_FIREWALL_NONE', { what });
  }

  async #load(arming: Arming): Promise<void> {
    await this.#table.load(arming);
    await this.#o
      .onLoaded()
      .catch((error) => this.#o.log.warn({ err: error }, 'older connections could not be looked at'));
  }

  /**
   * At the start nobody waits for it where there are many grants: these are long lists, and most likely right. A sequence that
   * nobody has any more opens nothing meanwhile, since its user is not found.
   */
  async #lookAtAll(adoption?: Adoption): Promise<void> {
    this.#contents.correctSteps().catch((error) => this.#fail(error));
    const failed = (error: unknown) => this.#o.log.warn({ err: error }, 'the kernel could not be looked at again');
    const grants = this.#contents.correctGrants(undefined, adoption).finally(() => adoption?.end());
    grants.then(() => this.#contents.correctHeld()).catch(failed);
    if (this.#o.desired.grants <= FEW) await grants.catch(() => undefined);
  }

  #wantedArming(found: GuardState): Arming {
    if (this.#isConfirmed) return { kind: 'permanent' };
    if (found.arming?.kind === 'provisional') return found.arming;
    return { kind: 'provisional', remaining: this.#o.firstProvision };
  }

  #setArming(arming: Arming): void {
    this.#detail = null;
    this.#provision.set(arming);
    this.#mode = arming.kind === 'permanent' ? 'guarding' : 'provisional';
  }

  #lapsed(): void {
    if (this.#mode !== 'provisional') return;
    if (this.#confirming !== undefined) {
      this.#confirming.catch(() => this.#lapsed());
      return;
    }
    this.#reverted('nobody confirmed it, and no knock opened it').catch((error) => this.#fail(error));
  }

  async #reverted(why: string): Promise<void> {
    this.#provision.clear();
    this.#mode = 'reverted';
    this.#detail = null;
    this.#isConfirmed = false;
    this.#words.isDown(why);
    await this.#table.lookAgain();
    await this.#words.reverted(why);
  }

  async #opened(who: string): Promise<void> {
    this.#provision.clear();
    this.#mode = 'open';
    this.#detail = null;
    this.#table.isThere = false;
    this.#words.isOpen();
    this.#words.opened(who);
  }

  #recovered(): void {
    this.#detail = null;
    if (this.#mode === 'failed') this.#setArming({ kind: 'permanent' });
  }

  #repaired(detail: string): void {
    this.#recovered();
    this.#words.repaired(detail);
  }

  #fail(error: unknown): void {
    this.#failed(error);
    this.#repairs.retry();
  }

  #failed(error: unknown): void {
    this.#detail = error instanceof SallyportError ? error.message : 'the packet filter fails';
    if (this.#mode === 'guarding') this.#mode = 'failed';
    this.#o.log.error({ err: error }, 'the guard could not be put right; trying again');
  }
}
