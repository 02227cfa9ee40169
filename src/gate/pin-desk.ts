import type { EventName } from '../core/journal.js';
import type { PinGuard } from '../core/phone/pin-guard.js';
import type { Clock } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

export interface PinDeskOptions {
  readonly guard: PinGuard;
  /** Whether a PIN is the one that is kept; takes equally long where none is. */
  readonly isPin: (pin: string, kept: string | null) => Promise<boolean>;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** Somebody gives a PIN on the phone. */
export interface PinTry {
  /** Undefined where there is no such account. */
  readonly user: User | undefined;
  /** What the tries are counted by: the account as it was typed. */
  readonly account: string;
  readonly pin: string;
  readonly callerId: string | null;
}

/**
 * Looks at PINs: one after the other, since each takes 32 MB for a moment, and in the same time whether there is such an account
 * or not. What was typed is in no log and no journal: not even an account that nobody has, which may be a PIN that was
 * typed in the wrong place.
 */
export class PinDesk {
  readonly #o: PinDeskOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: PinDeskOptions) {
    this.#o = options;
  }

  /** Resolves when the verdict may be spoken. Counts whatever becomes of the call. */
  async isRight({ user, account, pin, callerId }: PinTry): Promise<boolean> {
    const { clock, guard, isPin } = this.#o;
    const begun = clock.monotonic();
    const trial = guard.begin({ account, isKnown: user !== undefined, callerId });
    let isMatch = false;
    let result: ReturnType<typeof trial.end> = 'failed';
    try {
      isMatch = await this.#inTurn(() => isPin(pin, user?.pinHash ?? null));
    } finally {
      result = trial.end(isMatch);
    }
    if (result !== 'passed') {
      const why = user === undefined ? 'an unknown account' : user.pinHash === null ? 'no PIN is set' : 'a wrong PIN';
      this.#tell('attempt.refused', user, callerId, trial.isLocked ? 'the account is locked out' : why);
    }
    if (result === 'locked' && user !== undefined)
      this.#tell('alarm.raised', user, callerId, 'locked out of the phone for an hour after too many wrong PINs');
    await pause(trial.wait - (clock.monotonic() - begun));
    return result === 'passed';
  }

  /** No PIN of theirs is right for now. */
  isLockedOut(user: User): boolean {
    return this.#o.guard.isLocked(countedAs(user));
  }

  /** The PIN is new: what was tried before it counts no more. */
  forgive(user: User): void {
    this.#o.guard.forgive(countedAs(user));
  }

  #tell(event: EventName, user: User | undefined, callerId: string | null, why: string): void {
    const name = user?.name ?? null;
    const detail = callerId === null ? why : `${why}; caller ${callerId}`;
    void this.#o.recorder.tell({ at: this.#o.clock.now(), event, user: name, method: 'phone', detail });
    this.#o.log.warn({ user: name }, `${event}: ${why}`);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** What the tries of a user are counted by who has been rung, and need not have an account. */
export function countedAs({ id, account }: User): string {
  return account ?? `user ${id}`;
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}
