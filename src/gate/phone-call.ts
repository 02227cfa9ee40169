import type { Dialogue, MenuEffect, MenuEvent } from '../core/phone/dialogue.js';
import type { CallId, Digit, PhoneLink, Sound } from '../core/phone/link.js';
import type { Prompt } from '../core/phone/prompts.js';
import { seconds } from '../core/time.js';
import type { Log } from './log.js';

/** However a call goes on, good-bye is said after this; both are over before the time limit of the dialplan, 180 s. */
const LONGEST_CALL = seconds(170);
/** So long may good-bye take. */
const LONGEST_FAREWELL = seconds(8);

/** What a dialogue asks of the gate. */
export type Question = Exclude<MenuEffect, { readonly kind: 'play' | 'listen' | 'hang-up' }>;

export interface PhoneCallOptions {
  readonly id: CallId;
  readonly dialogue: Dialogue;
  readonly answer: (question: Question) => Promise<MenuEvent>;
  readonly link: Pick<PhoneLink, 'play' | 'hangUp'>;
  readonly soundsOf: (prompts: readonly Prompt[]) => readonly Sound[];
  readonly log: Log;
  /** Told once: it is over, whoever ended it. */
  readonly onOver: () => void;
}

/**
 * One call: brings what happens to its dialogue, one event after the other, and carries out what the dialogue asks for. What
 * comes late, such as the end of sounds that a digit has cut off, or an answer after the caller has hung up, does not
 * reach it.
 */
export class PhoneCall {
  readonly #o: PhoneCallOptions;
  readonly #events: MenuEvent[] = [];
  #limit: NodeJS.Timeout;
  #isBusy = false;
  #isOver = false;
  #turn = 0;
  #isPlaying = false;
  #silence: NodeJS.Timeout | undefined;

  constructor(options: PhoneCallOptions) {
    this.#o = options;
    this.#limit = setTimeout(() => this.#timeOut(), LONGEST_CALL).unref();
  }

  begin(): void {
    this.#handle({ kind: 'began' });
  }

  digit(digit: Digit): void {
    clearTimeout(this.#silence);
    this.#isPlaying = false;
    this.#handle({ kind: 'digit', digit });
  }

  played(turn: number): void {
    if (turn !== this.#turn || !this.#isPlaying) return;
    this.#isPlaying = false;
    this.#handle({ kind: 'played' });
  }

  /** Ends the call from our side. */
  hangUp(): void {
    if (this.#isOver) return;
    this.#o.link.hangUp(this.#o.id);
    this.hungUp();
  }

  /** The caller hung up, or the PBX is lost. */
  hungUp(): void {
    if (this.#isOver) return;
    this.#handle({ kind: 'hung-up' });
    this.#end();
  }

  #timeOut(): void {
    this.#limit = setTimeout(() => this.hangUp(), LONGEST_FAREWELL).unref();
    this.#handle({ kind: 'timed-out' });
  }

  /** A play that is heard at once, or an answer that is known at once, comes while the effects before it are carried out. */
  #handle(event: MenuEvent): void {
    this.#events.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined && !this.#isOver; next = this.#events.shift()) {
        for (const effect of this.#o.dialogue.handle(next)) if (!this.#isOver) this.#perform(effect);
      }
    } catch (error) {
      this.#o.log.error({ err: error }, 'a call went wrong; it is ended');
      this.#o.link.hangUp(this.#o.id);
      this.#end();
    } finally {
      this.#isBusy = false;
    }
  }

  #perform(effect: MenuEffect): void {
    switch (effect.kind) {
      case 'play':
        clearTimeout(this.#silence);
        this.#isPlaying = true;
        this.#o.link.play(this.#o.id, ++this.#turn, this.#o.soundsOf(effect.prompts));
        return;
      case 'listen':
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => this.#handle({ kind: 'silence' }), effect.wait).unref();
        return;
      case 'hang-up':
        this.#o.link.hangUp(this.#o.id);
        this.#end();
        return;
      default:
        this.#ask(effect);
    }
  }

  #ask(question: Question): void {
    this.#o.answer(question).then(
      (event) => this.#handle(event),
      (error) => {
        this.#o.log.error({ err: error }, `a call could not be answered: ${question.kind}`);
        this.#handle({ kind: 'failed' });
      },
    );
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.length = 0;
    clearTimeout(this.#silence);
    clearTimeout(this.#limit);
    this.#o.onOver();
  }
}
