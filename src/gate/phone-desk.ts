import type { Claim } from '../core/claims.js';
import type { Dialogue, MenuEvent, Offer } from '../core/phone/dialogue.js';
import type {
  Authorization,
  Call,
  CallId,
  Digit,
  PhoneHandlers,
  PhoneHealth,
  PhoneLink,
  RingFailure,
  Sound,
} from '../core/phone/link.js';
import type { Prompt } from '../core/phone/prompts.js';
import type { User } from '../core/user.js';
import { AuthorizationDesk } from './authorization-desk.js';
import { Callbacks } from './callbacks.js';
import { PhoneCall, type Question } from './phone-call.js';
import { type ClerkOptions, PhoneClerk } from './phone-clerk.js';

/** So many calls are led at once, those that ring included. */
const MOST_CALLS = 32;

export interface PhoneDeskOptions extends ClerkOptions {
  readonly link: PhoneLink;
  readonly newMenu: (about: Pick<Call, 'address'>) => Dialogue;
  readonly newCallbackMenu: (about: { readonly offer: Offer }) => Dialogue;
  readonly soundsOf: (prompts: readonly Prompt[]) => readonly Sound[];
}

/** Leads the calls: each has its menu, and a clerk who answers for the gate. What becomes of the PBX touches nothing else. */
export class PhoneDesk implements PhoneHandlers {
  readonly #o: PhoneDeskOptions;
  readonly #calls = new Map<CallId, PhoneCall>();
  readonly #callbacks: Callbacks;
  readonly #authorizations: AuthorizationDesk;

  constructor(options: PhoneDeskOptions) {
    this.#o = options;
    this.#authorizations = new AuthorizationDesk(options);
    this.#callbacks = new Callbacks({ ...options, hasRoom: () => this.#hasRoom });
  }

  async start(): Promise<void> {
    await this.#o.link.start(this);
  }

  async stop(): Promise<void> {
    this.#callbacks.stop();
    this.#authorizations.stop();
    for (const call of [...this.#calls.values()]) call.hangUp();
    await this.#o.link.stop();
  }

  health(): PhoneHealth {
    return { ...this.#o.link.health(), calls: this.#calls.size };
  }

  /** Rings a user whose address asks to be let in. */
  callBack(user: User, claim: Claim): void {
    this.#callbacks.request(user, claim);
  }

  onCall(call: Call): void {
    const claim = call.ring === null ? null : this.#callbacks.answered(call.ring);
    if (claim === undefined || this.#calls.has(call.id)) {
      this.#o.link.hangUp(call.id);
      return;
    }
    if (claim === null) this.#answer(call);
    else this.#ask(call, claim);
  }

  onDigit(call: CallId, digit: Digit): void {
    this.#calls.get(call)?.digit(digit);
  }

  onPlayed(call: CallId, turn: number): void {
    this.#calls.get(call)?.played(turn);
  }

  onHangUp(call: CallId): void {
    this.#calls.get(call)?.hungUp();
  }

  onRingFailed(ring: string, why: RingFailure): void {
    this.#callbacks.failed(ring, why);
  }

  onAuthorize(authorization: Authorization): void {
    void this.#authorizations.take(authorization);
  }

  get #hasRoom(): boolean {
    return this.#calls.size + this.#callbacks.size < MOST_CALLS;
  }

  /** Somebody called us. */
  #answer({ id, callerId, address }: Call): void {
    const { log, link, doorkeeper, newMenu } = this.#o;
    if (!this.#hasRoom) {
      log.warn({}, 'too many calls at once; one was not answered');
      link.hangUp(id);
      return;
    }
    const clerk = new PhoneClerk(this.#o, { callerId, rung: null });
    const own = address !== null && doorkeeper.refusal(address) === undefined ? address : null;
    this.#lead(id, newMenu({ address: own }), (question) => clerk.answer(question));
  }

  /** Somebody whom we rang has picked up. */
  #ask({ id }: Call, claim: Claim): void {
    const clerk = new PhoneClerk(this.#o, { callerId: null, rung: claim });
    const offer = clerk.offer();
    if (offer === undefined) {
      this.#o.link.hangUp(id);
      this.#callbacks.over(claim, 'nothing');
      return;
    }
    let outcome: Parameters<Callbacks['over']>[1] = 'nothing';
    let answering: Promise<unknown> = Promise.resolve();
    const answer = async (question: Question) => {
      const answered = clerk.answer(question);
      answering = answered.catch(() => undefined);
      const event = await answered;
      if (event.kind === 'granted') outcome = 'granted';
      if (event.kind === 'closed') outcome = 'reported';
      return event;
    };
    // Who hangs up right after the last digit has said what they had to say.
    const onOver = () => void answering.then(() => this.#callbacks.over(claim, outcome));
    this.#lead(id, this.#o.newCallbackMenu({ offer }), answer, onOver);
  }

  #lead(
    id: CallId,
    dialogue: Dialogue,
    answer: (question: Question) => Promise<MenuEvent>,
    onOver: () => void = () => undefined,
  ): void {
    const { link, soundsOf, log } = this.#o;
    const call = new PhoneCall({
      ...{ id, dialogue, answer, link, soundsOf, log },
      onOver: () => {
        this.#calls.delete(id);
        onOver();
      },
    });
    this.#calls.set(id, call);
    call.begin();
  }
}
