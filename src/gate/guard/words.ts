import { RESCUE_BOOTS, RESCUE_WITHIN } from '../../core/boots.js';
import type { JournalEvent } from '../../core/journal.js';
import type { Change } from '../../core/store.js';
import { type Clock, type Duration, formatDuration } from '../../core/time.js';
import type { Log } from '../log.js';
import type { Recorder } from '../recorder.js';

/** Why the guard waits. */
export const MANY_STARTS = `since the machine was started ${RESCUE_BOOTS} times within ${formatDuration(RESCUE_WITHIN)}`;

const KEPT = ['confirmed', 'declined'] as const;

export interface GuardWordsOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is said of the guard, in the log and in the journal. */
export class GuardWords {
  readonly #o: GuardWordsOptions;

  constructor(options: GuardWordsOptions) {
    this.#o = options;
  }

  provisional(remaining: Duration): void {
    const time = formatDuration(remaining);
    this.#o.log.warn(
      { reverts_in: time },
      `the guard is provisional: it goes down in ${time} unless a knock opens it or you run: sallyport firewall confirm`,
    );
    this.#tell({ event: 'firewall.provisional', detail: `for ${time}` });
  }

  /** A change of rules that lasted is provisional. */
  changing(remaining: Duration): void {
    const time = formatDuration(remaining);
    this.#o.log.warn(
      { reverts_in: time },
      `the rules are changed provisionally: the previous ones hold again in ${time} unless a knock opens something or you run: sallyport firewall confirm`,
    );
    this.#tell({ event: 'firewall.provisional', detail: `a change of the rules, for ${time}` });
  }

  /** Resolves when it is on the disk that the guard is there to stay, or cannot be. */
  async confirmed(why: string): Promise<void> {
    await this.#record({ event: 'firewall.confirmed', detail: why }, { confirmed: 'yes', declined: '' });
    this.#o.log.info({}, `the guard is there to stay: ${why}`);
  }

  waits(remaining: Duration): void {
    const time = formatDuration(remaining);
    this.#o.log.warn(
      { guards_in: time },
      `EVERYTHING IS OPEN for ${time}, ${MANY_STARTS}; then the guard goes up; put it up at once with: sallyport firewall apply`,
    );
    this.#tell({ event: 'firewall.waiting', detail: `for ${time}: ${MANY_STARTS}` });
  }

  waited(): void {
    this.#o.log.info({}, 'the wait is over, the guard goes up');
    this.#tell({ event: 'firewall.closed', detail: 'after the wait that followed quick starts of the machine' });
  }

  /** Resolves when it is on the disk that these rules are not to be tried again by themselves, or cannot be. */
  async declined(why: string, digest: string): Promise<void> {
    this.#o.log.warn(
      {},
      `the previous rules hold again: ${why}; the configuration still asks for the change: sallyport firewall plan`,
    );
    const detail = `${why}; the previous rules hold again`;
    await this.#record({ event: 'firewall.reverted', detail }, { declined: digest });
  }

  /** The configuration asks for rules that nobody has confirmed when they were tried. */
  stillDeclined(): void {
    this.#o.log.warn(
      {},
      'the configuration asks for a change that nobody confirmed, so the last rules that lasted hold; try it again with: sallyport firewall apply',
    );
  }

  /** The rules could not be kept for the boot step. */
  unkept(error: unknown): void {
    this.#o.log.warn({ err: error }, 'the guard could not be saved for the boot step');
  }

  isDown(why: string): void {
    this.#o.log.warn(
      {},
      `the guard is down, everything is open: ${why}; put it up again with: sallyport firewall apply`,
    );
  }

  /** The rules follow the host, without anybody's asking. */
  adjusted(changes: readonly string[]): void {
    const detail = `WireGuard listens elsewhere now: ${changes.join('; ')}`;
    this.#o.log.info({}, detail);
    this.#tell({ event: 'firewall.adjusted', detail });
  }

  /** Resolves when it is on the disk that the guard is not confirmed any more, or cannot be. */
  async reverted(why: string): Promise<void> {
    await this.#record({ event: 'firewall.reverted', detail: why }, { confirmed: 'no' });
  }

  isOpen(): void {
    this.#o.log.warn({}, 'the guard is open: somebody gave the panic command; close it with: sallyport firewall apply');
  }

  opened(who: string): void {
    this.#tell({ event: 'firewall.opened', detail: `by the panic command (${who})` });
  }

  nothingClosed(why: string): void {
    this.#o.log.warn(
      {},
      'NOTHING IS CLOSED: firewall.driver is none; anybody reaches every port, with a knock or without',
    );
    this.#tell({ event: 'firewall.opened', detail: why });
  }

  repaired(detail: string): void {
    this.#o.log.warn({}, `drift repaired: ${detail}`);
    this.#tell({ event: 'drift.repaired', detail });
  }

  async #record(event: Omit<JournalEvent, 'at'>, meta: { confirmed?: 'yes' | 'no'; declined?: string }): Promise<void> {
    const changes: Change[] = [
      { kind: 'journal', event: { at: this.#o.clock.now(), ...event } },
      ...KEPT.flatMap((key): Change[] => {
        const value = meta[key];
        return value === undefined ? [] : [{ kind: 'meta', key, value }];
      }),
    ];
    await this.#o.recorder.record(changes).catch(() => undefined);
  }

  #tell(event: Omit<JournalEvent, 'at'>): void {
    void this.#o.recorder.tell({ at: this.#o.clock.now(), ...event });
  }
}
