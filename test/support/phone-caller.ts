import type { Dialogue, MenuEffect, MenuEvent } from '../../src/core/phone/dialogue.ts';
import type { Digit } from '../../src/core/phone/link.ts';
import { PROMPTS, type Prompt } from '../../src/core/phone/prompts.ts';
import { formatDuration } from '../../src/core/time.ts';

type Request = Exclude<MenuEffect, { kind: 'play' | 'listen' | 'hang-up' }>;

/** What the gateway says to an effect; undefined to let it wait. */
export type Answers = (request: Request) => MenuEvent | undefined;

/**
 * Somebody on the phone, with the gateway behind the dialogue: performs its effects as a link does (a digit stops what
 * plays, silence is told only to who listens) and writes down what is said.
 */
export class PhoneCaller {
  /** What was said, in words, heard to its end or not. */
  readonly said: string[] = [];
  /** What the dialogue wanted to know or to have done, in order. */
  readonly requests: Request[] = [];
  /** The times that nothing may be pressed for. */
  readonly waits: number[] = [];
  /** What the link or the gateway owes an event for. */
  state: 'idle' | 'playing' | 'listening' | 'over' = 'idle';
  awaited: Request | undefined;
  readonly #dialogue: Dialogue;
  readonly #answers: Answers;

  constructor(dialogue: Dialogue, answers: Answers = () => undefined) {
    this.#dialogue = dialogue;
    this.#answers = answers;
  }

  get last(): string {
    return this.said.at(-1) ?? '';
  }

  begin(): this {
    return this.event({ kind: 'began' });
  }

  /** Presses one key after the other, each as soon as it can be. */
  press(keys: string): this {
    for (const digit of keys) {
      if (this.state === 'over') break;
      this.state = 'idle';
      this.event({ kind: 'digit', digit: digit as Digit });
    }
    return this;
  }

  /** Listens until it is the caller's turn. */
  listen(): this {
    while (this.state === 'playing') {
      this.state = 'idle';
      this.event({ kind: 'played' });
    }
    return this;
  }

  /** Listens to what is said to the end, then presses. */
  reply(keys: string): this {
    return this.listen().press(keys);
  }

  /** Says nothing until the time is up. */
  silence(): this {
    this.listen();
    if (this.state !== 'listening') throw new Error(`nobody listens for silence: ${this.state}`);
    this.state = 'idle';
    return this.event({ kind: 'silence' });
  }

  /** The gateway gives an answer that it had kept back. */
  answer(event: MenuEvent): this {
    this.awaited = undefined;
    return this.event(event);
  }

  event(event: MenuEvent): this {
    for (const effect of this.#dialogue.handle(event)) this.#perform(effect);
    const answer = this.awaited === undefined ? undefined : this.#answers(this.awaited);
    return answer === undefined ? this : this.answer(answer);
  }

  #perform(effect: MenuEffect): void {
    if (this.state === 'over') throw new Error(`${effect.kind} after the end`);
    if (effect.kind === 'hang-up') {
      this.state = 'over';
    } else if (effect.kind === 'play') {
      this.said.push(words(effect.prompts));
      this.state = 'playing';
    } else if (effect.kind === 'listen') {
      this.waits.push(effect.wait);
      this.state = 'listening';
    } else {
      if (this.awaited !== undefined) throw new Error(`${effect.kind} before an answer to ${this.awaited.kind}`);
      this.requests.push(effect);
      this.awaited = effect;
    }
  }
}

/** Prompts in the words of a test: sentences by their text. */
export function words(prompts: readonly Prompt[]): string {
  return prompts
    .map((prompt) => {
      if ('say' in prompt) return PROMPTS[prompt.say].text;
      if ('digits' in prompt) return prompt.digits;
      if ('address' in prompt) return prompt.address;
      if ('duration' in prompt) return formatDuration(prompt.duration);
      if ('number' in prompt) return String(prompt.number);
      return prompt.services.join('+');
    })
    .join(' ');
}
