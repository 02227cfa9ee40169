import type { CallId, Digit, Sound } from '../core/phone/link.js';

/** What a call asks of ARI. Each may reject. */
export interface AriChannelActions {
  play(channel: CallId, playback: string, sounds: readonly string[]): Promise<unknown>;
  stopPlayback(playback: string): Promise<unknown>;
  answer(channel: CallId): Promise<unknown>;
  hangUp(channel: CallId): Promise<unknown>;
}

export interface AriCallTold {
  onDigit(digit: Digit): void;
  onPlayed(turn: number): void;
}

/** Nothing is heard for as long as a call may last, ten seconds at a time. */
const SILENCE = Array.from({ length: 18 }, () => 'silence/10');
/** Requests of one call that wait for their turn: a menu has two or three. */
const MOST_TASKS = 100;
const MOST_EARLY = 64;

/**
 * One call in our application. What plays on its channel is a queue of Asterisk's:
 *
 *   prompt of this turn │ silence for the rest of the call
 *
 * Some playback always runs: without one, Asterisk tells of a digit twice where it follows another within 40 ms. So what
 * is new is queued first, and what was there is stopped afterwards.
 */
export class AriCall {
  readonly id: CallId;
  readonly #actions: AriChannelActions;
  readonly #told: AriCallTold;
  /** The turn whose prompt is to be heard; null where nothing is, or a digit has come. */
  #turn: number | null = null;
  #prompt: { readonly id: string; readonly turn: number } | undefined;
  #silence: string | undefined;
  #count = 0;
  #tasks = 0;
  #last: Promise<void> = Promise.resolve();
  #isOver = false;
  /** Digits that came before the call was told of. */
  #early: Digit[] | undefined = [];

  constructor(id: CallId, actions: AriChannelActions, told: AriCallTold) {
    this.id = id;
    this.#actions = actions;
    this.#told = told;
  }

  /** Takes the call: answers it where the dialplan did not. */
  begin(isUp: boolean): void {
    this.#do(async () => {
      if (!isUp) await this.#actions.answer(this.id);
      await this.#startSilence();
    });
  }

  /** The call was told of: its digits may be, too. */
  announced(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const digit of early) this.#told.onDigit(digit);
  }

  play(turn: number, sounds: readonly Sound[]): void {
    this.#turn = turn;
    this.#do(async () => {
      if (this.#turn !== turn) return;
      const before = [this.#prompt?.id, this.#silence];
      this.#prompt = undefined;
      if (sounds.length > 0) {
        const id = this.#newId();
        this.#prompt = { id, turn };
        await this.#actions.play(this.id, id, sounds);
      }
      await this.#startSilence();
      for (const playback of before) await this.#stop(playback);
      if (sounds.length === 0) this.#heard(turn);
    });
  }

  stopPlay(turn: number): void {
    if (this.#turn === turn) this.#interrupt();
  }

  hangUp(): void {
    if (!this.#isOver) void this.#actions.hangUp(this.id).catch(() => undefined);
  }

  /** Nothing more is asked for. */
  over(): void {
    this.#isOver = true;
  }

  digit(digit: Digit): void {
    if (this.#turn !== null) this.#interrupt();
    if (this.#early === undefined) this.#told.onDigit(digit);
    else if (this.#early.length < MOST_EARLY) this.#early.push(digit);
  }

  /** A playback has ended. */
  finished(playback: string): void {
    const prompt = this.#prompt;
    if (playback === prompt?.id) {
      this.#prompt = undefined;
      this.#heard(prompt.turn);
    } else if (playback === this.#silence) {
      this.#do(() => this.#startSilence());
    }
  }

  #heard(turn: number): void {
    if (this.#turn !== turn) return;
    this.#turn = null;
    this.#told.onPlayed(turn);
  }

  #interrupt(): void {
    this.#turn = null;
    this.#do(async () => {
      if (this.#turn !== null) return;
      const prompt = this.#prompt;
      this.#prompt = undefined;
      await this.#stop(prompt?.id);
    });
  }

  async #startSilence(): Promise<void> {
    this.#silence = this.#newId();
    await this.#actions.play(this.id, this.#silence, SILENCE);
  }

  /** One that has ended by itself meanwhile is stopped, too. */
  async #stop(playback: string | undefined): Promise<void> {
    if (playback !== undefined) await this.#actions.stopPlayback(playback).catch(() => undefined);
  }

  #newId(): string {
    return `${this.id}-${++this.#count}`;
  }

  /** One after the other, since each is a request on a connection of its own and would overtake another. */
  #do(task: () => Promise<unknown>): void {
    if (this.#isOver || this.#tasks >= MOST_TASKS) return;
    this.#tasks++;
    this.#last = this.#last
      .then(() => (this.#isOver ? undefined : task()))
      .catch(() => undefined)
      .then(() => {
        this.#tasks--;
      });
  }
}
