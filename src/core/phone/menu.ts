import { type Address, parseAddress } from '../address.js';
import { ipv4ToNumber } from '../address-text.js';
import { CONVERSATION_LIMITS, Conversation, type ConversationLimits, type Talk } from './conversation.js';
import type { Dialogue, MenuEffect, MenuEvent, Offer, OpenGrant, Waiting } from './dialogue.js';
import type { Digit } from './link.js';
import type { Prompt, PromptName } from './prompts.js';

/** What a caller may use up in one call. */
export interface MenuLimits extends ConversationLimits {
  /** Accounts with PINs. */
  readonly tries: number;
  /** Addresses and codes that are looked at. */
  readonly offers: number;
}

export const MENU_LIMITS: MenuLimits = { ...CONVERSATION_LIMITS, tries: 3, offers: 10 };

/** Digits of an account, a PIN, an IPv4 address with its dots, and a pairing code. */
const [LONGEST_ACCOUNT, LONGEST_PIN, LONGEST_ADDRESS, CODE] = [20, 32, 15, 6];

/** Where a stretch of the menu leads to. */
type Next = 'menu' | 'again' | undefined;

/**
 * The menu of one call:
 *
 *     account # PIN #  ──▶  menu ─┬─▶ 1 type an address ─┐
 *      (three tries)              ├─▶ 2 pairing code ────┼─▶ read back ─┬─▶ 1 grant, then the menu
 *                                 ├─▶ 4 own address ─────┘              ├─▶ 2 start again
 *                                 ├─▶ 3 what is open: 1 close, 2 next   └─▶ * the menu
 *                                 └─▶ * good-bye
 *
 * Who needs a claim is offered neither 1 nor 4: a PIN that is stolen must not be enough to let in an address.
 *
 * A read-back begins with a sentence that has to be heard to its end. What is pressed before the address itself is being read
 * confirms nothing: neither digits typed ahead nor those of a caller who is still typing.
 */
export class Menu implements Dialogue {
  readonly #conversation: Conversation;
  readonly #limits: MenuLimits;
  /** The address that the call comes from, where the caller is a registered softphone. */
  readonly #own: Address | null;
  /** As far as it is known; `code` once the caller has been asked about the request, or there was none. */
  #waiting: Waiting = 'nothing';
  /** Whether the caller may let in no address but one that has asked for it. */
  #needsClaim = true;
  #offers = 0;

  constructor({ address }: { readonly address: Address | null }, limits: MenuLimits = MENU_LIMITS) {
    this.#own = address;
    this.#limits = limits;
    this.#conversation = new Conversation(() => this.#call(), limits);
  }

  handle(event: MenuEvent): readonly MenuEffect[] {
    return this.#conversation.handle(event);
  }

  *#call(): Talk<void> {
    if (!(yield* this.#login())) return;
    let next: Next = 'menu';
    while (next !== undefined) {
      const chosen: Digit | undefined = yield* this.#chosen();
      if (chosen === '1') next = yield* this.#repeated(() => this.#typed());
      else if (chosen === '2') next = yield* this.#repeated(() => this.#claimed());
      else if (chosen === '3') next = yield* this.#open();
      else if (chosen === '4' && this.#own !== null) next = yield* this.#proposed(this.#own);
      else next = undefined;
    }
  }

  /** Both are asked for before anything is said, so that nobody learns which accounts there are. */
  *#login(): Talk<boolean> {
    const talk = this.#conversation;
    for (let tries = 1; tries <= this.#limits.tries; tries++) {
      const account = yield* talk.entry(say('enter-account'), { longest: LONGEST_ACCOUNT });
      if (account === undefined) return false;
      const pin = yield* talk.entry(say('enter-pin'), { longest: LONGEST_PIN });
      if (pin === undefined) return false;
      const verdict = yield* talk.answer({ kind: 'verify', account, pin }, 'verified', 'denied', 'failed');
      if (verdict?.kind === 'verified') {
        this.#waiting = verdict.waiting;
        this.#needsClaim = verdict.needsClaim;
        return true;
      }
      if (verdict?.kind !== 'denied') {
        talk.tell('failed');
        return false;
      }
      if (verdict.isLast || tries === this.#limits.tries) talk.tell('login-incorrect');
      // Who is still typing must not spend the next try on it.
      else yield* talk.announce(say('login-incorrect'));
      if (verdict.isLast) return false;
    }
    return false;
  }

  *#chosen(): Talk<Digit | undefined> {
    const items: [Digit, PromptName][] = [
      ['2', this.#waiting === 'request' ? 'menu-waiting' : 'menu-code'],
      ['3', 'menu-open'],
    ];
    if (!this.#needsClaim) items.unshift(['1', 'menu-address']);
    if (!this.#needsClaim && this.#own !== null) items.push(['4', 'menu-own-address']);
    items.push(['*', 'menu-end']);
    const before: PromptName[] = this.#needsClaim && this.#waiting === 'nothing' ? ['none-waiting'] : [];
    const question = say(...before, ...items.map(([, words]) => words));
    return yield* this.#conversation.choice(
      question,
      items.map(([digit]) => digit),
    );
  }

  *#repeated(stretch: () => Talk<Next>): Talk<Next> {
    let next: Next = 'again';
    while (next === 'again') next = yield* stretch();
    return next;
  }

  *#typed(): Talk<Next> {
    const typed = yield* this.#conversation.entry(say('enter-address'), { longest: LONGEST_ADDRESS, hasDots: true });
    if (typed === undefined) return undefined;
    if (ipv4ToNumber(typed) === undefined) return this.#wrong('address-unfit', 'again');
    return yield* this.#proposed(parseAddress(typed), 'again');
  }

  /** `or`: where it leads to if the address cannot be let in, or the caller wants to start again. */
  *#proposed(address: Address, or: Next = 'menu'): Talk<Next> {
    if (!this.#mayLook()) return undefined;
    const answer = yield* this.#conversation.answer({ kind: 'propose', address }, 'proposed', 'unfit', 'failed');
    if (answer?.kind === 'proposed') {
      const next = yield* this.#readBack(answer.offer);
      return next === 'again' ? or : next;
    }
    return answer?.kind === 'unfit' ? this.#wrong('address-unfit', or) : this.#failed(answer);
  }

  *#claimed(): Talk<Next> {
    const talk = this.#conversation;
    const waiting = this.#waiting;
    // Whatever comes of it, the next time a code is asked for.
    this.#waiting = 'code';
    // Who was told that nothing waits may have knocked since.
    if (waiting === 'request' || (waiting === 'nothing' && this.#needsClaim)) {
      const found = yield* this.#found(null);
      if (found !== 'no-claim') return found;
      if (waiting === 'request') return this.#wrong('none-waiting', 'menu');
    }
    const code = yield* talk.entry(say('enter-code'), { longest: CODE, enough: CODE });
    if (code === undefined) return undefined;
    const found = code.length === CODE ? yield* this.#found(code) : 'no-claim';
    return found === 'no-claim' ? this.#wrong('no-claim', 'again') : found;
  }

  *#found(code: string | null): Talk<Next | 'no-claim'> {
    if (!this.#mayLook()) return undefined;
    const effect: MenuEffect = { kind: 'find-claim', code };
    const answer = yield* this.#conversation.answer(effect, 'proposed', 'no-claim', 'unfit', 'failed');
    if (answer?.kind === 'no-claim') return 'no-claim';
    if (answer?.kind === 'proposed') return yield* this.#readBack(answer.offer);
    return answer?.kind === 'unfit' ? this.#wrong('address-unfit', 'menu') : this.#failed(answer);
  }

  *#readBack({ target, services, ttl }: Offer): Talk<Next> {
    const talk = this.#conversation;
    yield* talk.announce(say('offer-address'));
    const readBack: Prompt[] = [
      { address: target },
      { say: 'offer-services' },
      { services },
      { say: 'for' },
      { duration: ttl },
      { say: 'offer-choices' },
    ];
    const chosen = yield* talk.choice(readBack, ['1', '2', '*']);
    if (chosen === undefined) return undefined;
    if (chosen === '2') return 'again';
    if (chosen === '*') {
      talk.tell('cancelled');
      return 'menu';
    }
    const answer = yield* talk.answer({ kind: 'grant' }, 'granted', 'failed');
    if (answer?.kind !== 'granted') return this.#failed(answer);
    talk.tell('granted', { duration: answer.ttl });
    return 'menu';
  }

  *#open(): Talk<Next> {
    const talk = this.#conversation;
    const answer = yield* talk.answer({ kind: 'list-open' }, 'open', 'failed');
    if (answer?.kind !== 'open') return this.#failed(answer);
    for (const [index, grant] of answer.grants.entries()) {
      const chosen = yield* this.#heard(grant, index + 1);
      if (chosen === undefined) return undefined;
      if (chosen === '*') return 'menu';
      if (chosen === '2') continue;
      const closed = yield* talk.answer({ kind: 'close', id: grant.id }, 'closed', 'failed');
      if (closed?.kind !== 'closed') return this.#failed(closed);
      talk.tell('closed');
    }
    talk.tell(answer.grants.length === 0 ? 'nothing-open' : 'that-was-all');
    return 'menu';
  }

  *#heard({ target, remaining }: OpenGrant, number: number): Talk<'1' | '2' | '*' | undefined> {
    yield* this.#conversation.announce([{ say: 'open-address' }, { number }]);
    const reading: Prompt[] = [{ address: target }, { say: 'open-remaining' }, { duration: remaining }];
    return yield* this.#conversation.choice([...reading, ...say('open-choices')], ['1', '2', '*']);
  }

  #mayLook(): boolean {
    return ++this.#offers <= this.#limits.offers;
  }

  #wrong(words: PromptName, next: Next): Next {
    this.#conversation.tell(words);
    return this.#conversation.mistake() ? next : undefined;
  }

  /** Where there was no answer at all the call is over: nobody knows what a late one would belong to. */
  #failed(answer: MenuEvent | undefined): Next {
    if (answer !== undefined) return this.#wrong('failed', 'menu');
    this.#conversation.tell('failed');
    return undefined;
  }
}

function say(...names: readonly PromptName[]): Prompt[] {
  return names.map((name) => ({ say: name }));
}
