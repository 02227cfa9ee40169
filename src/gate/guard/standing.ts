import { SallyportError } from '../../core/errors.js';
import type { Arming } from '../../core/firewall.js';
import { between, type Clock, type Duration, humanDuration, type Monotonic, millis } from '../../core/time.js';
import type { Log } from '../log.js';
import { Provision } from './provision.js';
import type { GuardTable } from './table.js';
import { type GuardWords, MANY_STARTS } from './words.js';

/**
 * Guarding for good; guarding until a time; lapsed; opened by panic; not yet up, so that somebody who is locked out gets in; the
 * packet filter fails; there is none.
 */
export type GuardMode = 'guarding' | 'provisional' | 'reverted' | 'open' | 'waiting' | 'failed' | 'none';

/** Why nothing is guarded where there is no packet filter. */
const NOTHING_CLOSED = 'nothing is closed: firewall.driver is none';

export interface GuardStandingOptions {
  readonly table: GuardTable;
  readonly words: GuardWords;
  readonly clock: Clock;
  readonly log: Log;
  /** The time of a provisional guard is over, or that of a wait. */
  readonly onLapsed: () => void;
}

/** How the guard stands, and until when. It only keeps this and says so: nothing here changes the kernel. */
export class GuardStanding {
  readonly #o: GuardStandingOptions;
  readonly #provision: Provision;
  #mode: GuardMode = 'failed';
  #detail: string | null = null;

  constructor(options: GuardStandingOptions) {
    this.#o = options;
    this.#provision = new Provision(options.clock, options.onLapsed);
  }

  get mode(): GuardMode {
    return this.#mode;
  }

  /** Why it failed or waits, in words for people. */
  get detail(): string | null {
    const left = this.guardsIn;
    if (left === undefined) return this.#detail;
    return `everything is open for ${humanDuration(left)} more, ${MANY_STARTS}; close at once: sallyport firewall apply`;
  }

  /** How long a guard that waits does so still. */
  get guardsIn(): Duration | undefined {
    const until = this.#mode === 'waiting' ? this.#provision.until : undefined;
    return until === undefined ? undefined : millis(Math.max(0, between(this.#o.clock.monotonic(), until)));
  }

  /** When a provisional guard lapses. */
  get revertsAt(): Monotonic | undefined {
    return this.#mode === 'waiting' ? undefined : this.#provision.until;
  }

  /** How the kernel should be armed now; undefined where a provisional guard has lapsed. */
  arming(): Arming | undefined {
    return this.#provision.arming();
  }

  /** The kernel is armed like this. */
  armed(arming: Arming): void {
    this.#detail = null;
    this.#provision.set(arming);
    this.#mode = arming.kind === 'permanent' ? 'guarding' : 'provisional';
  }

  /** It is not put up before this time is over. */
  waits(remaining: Duration): void {
    this.#provision.set({ kind: 'provisional', remaining });
    this.#mode = 'waiting';
    this.#o.words.waits(remaining);
  }

  /** There is no packet filter. */
  without(): void {
    this.#mode = 'none';
    this.#detail = NOTHING_CLOSED;
    this.#o.words.nothingClosed(NOTHING_CLOSED);
  }

  /** The table that was found lets everything through: the panic command was given before. */
  foundOpen(): void {
    this.#mode = 'open';
    this.#o.words.isOpen();
  }

  /** The panic command was given. */
  opened(who: string): void {
    this.#provision.clear();
    this.#detail = null;
    this.#o.table.isThere = false;
    this.foundOpen();
    this.#o.words.opened(who);
  }

  /** The guard is being taken down at the end of the daemon: nothing is said, and it does not lapse any more. */
  takenDown(): void {
    this.#provision.clear();
    this.#mode = 'reverted';
  }

  /** The guard is down. Resolves when that is on the disk, or cannot be. */
  async reverted(why: string): Promise<void> {
    this.#provision.clear();
    this.#mode = 'reverted';
    this.#detail = null;
    this.#o.words.isDown(why);
    await this.#o.table.lookAgain();
    await this.#o.words.reverted(why);
  }

  /** Nothing is wrong now. */
  recovered(): void {
    this.#detail = null;
    if (this.#mode === 'failed') this.armed({ kind: 'permanent' });
  }

  /** What the kernel holds could not be made what it should be. */
  failed(error: unknown): void {
    this.#detail = error instanceof SallyportError ? error.message : 'the packet filter fails';
    if (this.#mode === 'guarding') this.#mode = 'failed';
    this.#o.log.error({ err: error }, 'the guard could not be put right; trying again');
  }

  /** The time of a provisional guard is not watched any more. */
  stop(): void {
    this.#provision.clear();
  }
}
