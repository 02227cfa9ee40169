import { Conversation, type Talk } from './conversation.js';
import type { Dialogue, MenuEffect, MenuEvent, Offer } from './dialogue.js';
import { MENU_LIMITS, type MenuLimits } from './menu.js';
import type { Prompt, PromptName } from './prompts.js';

const LONGEST_PIN = 32;
/** Begins a PIN as well: by itself it says that the request is somebody else's. */
const NOT_ME = '9';

/**
 * What somebody is asked whom the gateway has rung, since an address asks to be let in as them:
 *
 *     read the address, to its end ──▶ PIN # ──▶ grant ──▶ good-bye
 *                                  └─▶ 9, alone or with # ──▶ close everything ──▶ good-bye
 *
 * The PIN alone says yes, so what is pressed before the address was heard counts for nothing.
 */
export class CallbackMenu implements Dialogue {
  readonly #conversation: Conversation;
  readonly #limits: MenuLimits;
  readonly #offer: Offer;

  constructor({ offer }: { readonly offer: Offer }, limits: MenuLimits = MENU_LIMITS) {
    this.#offer = offer;
    this.#limits = limits;
    this.#conversation = new Conversation(() => this.#call(), limits);
  }

  handle(event: MenuEvent): readonly MenuEffect[] {
    return this.#conversation.handle(event);
  }

  *#call(): Talk<void> {
    const talk = this.#conversation;
    const { target, services, ttl } = this.#offer;
    yield* talk.announce([{ say: 'callback-address' }, { address: target }]);
    talk.tell('offer-services', { services }, 'for', { duration: ttl });
    for (let tries = 1; tries <= this.#limits.tries; tries++) {
      const typed = yield* talk.entry([{ say: 'callback-choices' }], { longest: LONGEST_PIN, alone: NOT_ME });
      if (typed === undefined) return;
      const words = typed === NOT_ME ? yield* this.#report() : yield* this.#allow(typed);
      if (words !== undefined) return talk.tell(...words);
      if (tries === this.#limits.tries) talk.tell('login-incorrect');
      // Who is still typing must not spend the next try on it.
      else yield* talk.announce([{ say: 'login-incorrect' }]);
    }
  }

  *#report(): Talk<readonly PromptName[]> {
    const answer = yield* this.#conversation.answer({ kind: 'report' }, 'closed', 'failed');
    return [answer?.kind === 'closed' ? 'callback-closed' : 'failed'];
  }

  /** What is said at the end; undefined where the PIN is wrong and may be given again. */
  *#allow(pin: string): Talk<readonly (Prompt | PromptName)[] | undefined> {
    const talk = this.#conversation;
    const verdict = yield* talk.answer({ kind: 'verify', account: '', pin }, 'verified', 'denied', 'failed');
    if (verdict?.kind === 'denied') return verdict.isLast ? ['login-incorrect'] : undefined;
    if (verdict?.kind !== 'verified') return ['failed'];
    const answer = yield* talk.answer({ kind: 'grant' }, 'granted', 'failed');
    return answer?.kind === 'granted' ? ['granted', { duration: answer.ttl }] : ['failed'];
  }
}
