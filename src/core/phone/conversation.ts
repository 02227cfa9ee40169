import { type Duration, seconds } from '../time.js';
import type { Dialogue, MenuEffect, MenuEvent } from './dialogue.js';
import type { Digit } from './link.js';
import type { Prompt, PromptName } from './prompts.js';

/** What a caller may use up in one call. Whatever is pressed, or is not, the call comes to an end. */
export interface ConversationLimits {
  /** How long nothing may be pressed before a question is put again. */
  readonly wait: Duration;
  /** How long nothing may follow a digit that is an answer if it stays alone. */
  readonly pause: Duration;
  /** How often a question is put again after silence. */
  readonly repeats: number;
  /** Wrong choices, addresses and codes that cannot be used. */
  readonly mistakes: number;
  /** Digits in the whole call. */
  readonly digits: number;
  /** Digits that are kept while the answer to an effect is awaited. */
  readonly ahead: number;
  /** How long an answer may take before the caller is asked for a moment. */
  readonly patience: Duration;
  /** How many such moments an answer may take. */
  readonly moments: number;
}

export const CONVERSATION_LIMITS: ConversationLimits = {
  wait: seconds(8),
  pause: seconds(3),
  repeats: 2,
  mistakes: 5,
  digits: 400,
  ahead: 40,
  patience: seconds(4),
  moments: 8,
};

/**
 * A stretch of a conversation: it hands out effects, is given the event that comes next, and ends with what it found out.
 * Undefined is always: that is enough, say good-bye.
 */
export type Talk<T> = Generator<readonly MenuEffect[], T, MenuEvent>;

/** How digits are collected until `#`. */
interface Entry {
  /** One more than these is kept, so that what is too long is wrong and does not pass for its beginning. */
  readonly longest: number;
  /** Whether the star key is a dot. Otherwise it begins the entry again. */
  readonly hasDots?: boolean;
  /** So many digits are enough, without `#`. */
  readonly enough?: number;
  /** This digit is an entry by itself if nothing follows it. */
  readonly alone?: Digit;
}

type Kind = MenuEvent['kind'];
type Answer<K extends Kind> = Extract<MenuEvent, { readonly kind: K }>;

/**
 * Leads a caller through a script: says, asks, repeats after silence, keeps what is typed ahead, waits for answers, and
 * says good-bye when the script is over or the caller has used up a limit. What was pressed is held in private fields and
 * in the script's own variables alone, so that no print of this object shows a digit.
 *
 * Digits typed ahead answer the questions to come, but not past anything that is told: what is told was not known when they
 * were typed.
 */
export class Conversation implements Dialogue {
  readonly #limits: ConversationLimits;
  #talk: Talk<void>;
  #state: 'new' | 'talking' | 'over' = 'new';
  #digits = 0;
  #mistakes = 0;
  #ahead: Digit[] = [];
  /** Is said together with the next question. */
  #told: Prompt[] = [];

  constructor(script: (conversation: Conversation) => Talk<void>, limits: ConversationLimits = CONVERSATION_LIMITS) {
    this.#limits = limits;
    this.#talk = this.#whole(script(this));
  }

  handle(event: MenuEvent): readonly MenuEffect[] {
    if (this.#state === 'over') return [];
    if (event.kind === 'hung-up') {
      this.#end();
      return [];
    }
    if (this.#state === 'new') {
      if (event.kind !== 'began') return [];
      this.#state = 'talking';
    } else if (event.kind === 'timed-out' || (event.kind === 'digit' && ++this.#digits === this.#limits.digits + 1)) {
      this.#talk = this.#farewell();
    }
    const step = this.#talk.next(event);
    if (step.done !== true) return step.value;
    this.#end();
    return [{ kind: 'hang-up' }];
  }

  /** Is told before the next question. What was typed before it is dropped. */
  tell(...prompts: readonly (Prompt | PromptName)[]): void {
    this.#ahead = [];
    this.#told.push(...prompts.map((one) => (typeof one === 'string' ? { say: one } : one)));
  }

  /** Counts a mistake; false where it was one too many. */
  mistake(): boolean {
    return ++this.#mistakes <= this.#limits.mistakes;
  }

  /**
   * Says something that has to be heard to its end: what is pressed meanwhile, and was before, counts for nothing, and it is
   * said again.
   */
  *announce(prompts: readonly Prompt[]): Talk<void> {
    const all = [...this.#takeTold(), ...prompts];
    for (let effects = play(all); ; ) {
      const event = yield effects;
      if (event.kind === 'played') break;
      effects = event.kind === 'digit' ? play(all) : [];
    }
    this.#ahead = [];
  }

  /** One of the digits that are offered. */
  *choice<D extends Digit>(question: readonly Prompt[], offered: readonly D[]): Talk<D | undefined> {
    for (let silences = 0; silences <= this.#limits.repeats; ) {
      const digit = yield* this.#press([...this.#takeTold(), ...question]);
      const chosen = offered.find((one) => one === digit);
      if (chosen !== undefined) return chosen;
      if (digit === undefined) {
        silences++;
      } else {
        if (!this.mistake()) return undefined;
        this.tell('not-a-choice');
      }
    }
    return undefined;
  }

  /** Digits, ended by `#`; never an empty text. After silence in the middle the question is put again. */
  *entry(question: readonly Prompt[], { longest, hasDots = false, enough, alone }: Entry): Talk<string | undefined> {
    let prompts = [...this.#takeTold(), ...question];
    for (let silences = 0; silences <= this.#limits.repeats; ) {
      let typed = '';
      let digit = yield* this.#press(prompts);
      while (digit !== undefined && digit !== '#' && (digit !== '*' || hasDots)) {
        typed = (typed + (digit === '*' ? '.' : digit)).slice(0, longest + 1);
        if (typed.length === enough) return typed;
        digit = yield* this.#press([], typed === alone ? this.#limits.pause : this.#limits.wait);
      }
      if (digit === '#' && typed !== '') return typed;
      if (digit === undefined && typed !== '' && typed === alone) return typed;
      // A lone `#` may belong to the entry before, which was long enough without: it must not cut off what is told.
      if (digit !== '#') prompts = [...question];
      if (digit === undefined) silences++;
    }
    return undefined;
  }

  /** Asks for an effect and waits for its answer, with a word to the caller where it takes long. */
  *answer<K extends Kind>(effect: MenuEffect, ...kinds: readonly K[]): Talk<Answer<K> | undefined> {
    const listen: MenuEffect = { kind: 'listen', wait: this.#limits.patience };
    let effects: readonly MenuEffect[] = [effect, listen];
    let isListening = true;
    for (let moments = 0; ; ) {
      const event = yield effects;
      effects = [];
      if (isOneOf(event, kinds)) return event;
      if (event.kind === 'digit' && this.#ahead.length < this.#limits.ahead) this.#ahead.push(event.digit);
      if (event.kind === 'digit' || (event.kind === 'played' && !isListening)) {
        isListening = true;
        effects = [listen];
      } else if (event.kind === 'silence' && isListening) {
        if (++moments > this.#limits.moments) return undefined;
        isListening = false;
        effects = play([{ say: 'one-moment' }]);
      }
    }
  }

  /** The next digit: one typed ahead, or one pressed while this is said or soon after; undefined where none is. */
  *#press(prompts: readonly Prompt[], wait = this.#limits.wait): Talk<Digit | undefined> {
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return ahead;
    const listen: readonly MenuEffect[] = [{ kind: 'listen', wait }];
    let isListening = prompts.length === 0;
    for (let effects = isListening ? listen : play(prompts); ; ) {
      const event = yield effects;
      effects = [];
      if (event.kind === 'digit') return event.digit;
      if (event.kind === 'silence' && isListening) return undefined;
      if (event.kind === 'played' && !isListening) {
        isListening = true;
        effects = listen;
      }
    }
  }

  *#whole(script: Talk<void>): Talk<void> {
    yield* script;
    yield* this.#farewell();
  }

  /** Heard to its end, or cut short by a digit: then no `played` comes. */
  *#farewell(): Talk<void> {
    let event = yield play([...this.#takeTold(), { say: 'goodbye' }]);
    while (event.kind !== 'played' && event.kind !== 'digit') event = yield [];
  }

  #takeTold(): Prompt[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  #end(): void {
    this.#state = 'over';
    this.#ahead = [];
  }
}

function play(prompts: readonly Prompt[]): readonly MenuEffect[] {
  return [{ kind: 'play', prompts }];
}

function isOneOf<K extends Kind>(event: MenuEvent, kinds: readonly K[]): event is Answer<K> {
  return kinds.some((kind) => kind === event.kind);
}
