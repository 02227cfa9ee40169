import type { Address } from '../../src/core/address.ts';
import type {
  CallId,
  Digit,
  PhoneHandlers,
  PhoneHealth,
  PhoneLink,
  PhoneNumber,
  RingFailure,
  Sound,
} from '../../src/core/phone/link.ts';

/** One call as whoever holds the receiver has it. */
export class FakeCall {
  /** What was said, heard to its end or not. */
  readonly said: string[] = [];
  isUp = true;
  readonly #pbx: FakePbx;
  readonly #id: CallId;
  #playing: number | undefined;

  constructor(pbx: FakePbx, id: CallId) {
    this.#pbx = pbx;
    this.#id = id;
  }

  get last(): string {
    return this.said.at(-1) ?? '';
  }

  play(turn: number, words: string): void {
    this.said.push(words);
    this.#playing = turn;
  }

  /** Listens until it is the caller's turn. */
  async listen(): Promise<this> {
    await this.#pbx.settle();
    while (this.#playing !== undefined && this.isUp) {
      const turn = this.#playing;
      this.#playing = undefined;
      this.#pbx.handlers?.onPlayed(this.#id, turn);
      await this.#pbx.settle();
    }
    return this;
  }

  /** Presses one key after the other at once. */
  async press(keys: string): Promise<this> {
    for (const digit of keys) {
      if (!this.isUp) break;
      this.#playing = undefined;
      this.#pbx.handlers?.onDigit(this.#id, digit as Digit);
    }
    await this.#pbx.settle();
    return this;
  }

  /** Listens to what is said, then presses. */
  async reply(keys: string): Promise<this> {
    await this.listen();
    return await this.press(keys);
  }

  /** An end of sounds that the caller did not hear, as it may cross with a digit. */
  playedLate(turn: number): void {
    this.#pbx.handlers?.onPlayed(this.#id, turn);
  }

  async hangUp(): Promise<void> {
    this.end();
    await this.#pbx.settle();
  }

  end(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#pbx.calls.delete(this.#id);
    this.#pbx.handlers?.onHangUp(this.#id);
  }
}

/** A PBX that is not there: whoever calls, and what they hear. */
export class FakePbx implements PhoneLink {
  handlers: PhoneHandlers | undefined;
  readonly calls = new Map<CallId, FakeCall>();
  /** What was rung and has not picked up yet. */
  readonly ringing: { readonly ring: string; readonly number: PhoneNumber }[] = [];
  isStopped = false;
  readonly settle: () => Promise<void>;
  #lastCall = 0;

  /** @param settle lets everything that is under way come to its end */
  constructor(settle: () => Promise<void>) {
    this.settle = settle;
  }

  async start(handlers: PhoneHandlers): Promise<void> {
    this.handlers = handlers;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }

  play(call: CallId, turn: number, sounds: readonly Sound[]): void {
    if (sounds.length === 0) this.handlers?.onPlayed(call, turn);
    else this.calls.get(call)?.play(turn, sounds.join(' '));
  }

  hangUp(call: CallId): void {
    this.calls.get(call)?.end();
  }

  ring(ring: string, number: PhoneNumber): void {
    this.ringing.push({ ring, number });
  }

  health(): PhoneHealth {
    return { state: 'connected', detail: null, calls: this.calls.size };
  }

  /** Somebody calls. */
  async dial(about: { callerId?: string; address?: Address } = {}): Promise<FakeCall> {
    return await this.#begin({ callerId: about.callerId ?? null, address: about.address ?? null, ring: null });
  }

  /** Whoever is rung picks up. */
  async pickUp(): Promise<FakeCall> {
    return await this.#begin({ callerId: null, address: null, ring: this.ringing.shift()?.ring ?? 'none' });
  }

  /** What rings is not picked up. */
  async fail(why: RingFailure): Promise<void> {
    this.handlers?.onRingFailed(this.ringing.shift()?.ring ?? 'none', why);
    await this.settle();
  }

  async #begin(about: { callerId: string | null; address: Address | null; ring: string | null }): Promise<FakeCall> {
    const id = `call-${++this.#lastCall}` as CallId;
    const call = new FakeCall(this, id);
    this.calls.set(id, call);
    this.handlers?.onCall({ id, ...about });
    await this.settle();
    return call;
  }
}
