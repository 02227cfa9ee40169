import type {
  Authorization,
  Call,
  CallId,
  Digit,
  PhoneHandlers,
  PhoneHealth,
  PhoneLink,
  PhoneNumber,
  RingFailure,
  Sound,
} from '../core/phone/link.js';
import { toError } from './deadline.js';
import { NUMBER, type PbxDriver, PbxError, type PbxSession, RING_ID, RING_SECONDS, SOUND } from './session.js';

/** Milliseconds until a PBX that was not there is tried again, and one that refused us. */
const RETRY = 1000;
const SLOW_RETRY = 30_000;
/** A ring of which nothing was heard for so long is over. */
const RING_BOUND = (RING_SECONDS + 10) * 1000;
const MOST_RINGS = 50;
/** Milliseconds that hanging up may take as we leave, and how often we look. */
const HANG_UP_BOUND = 1000;
const HANG_UP_STEP = 20;

export interface LinkHandlers extends PhoneHandlers {
  onHealth(health: PhoneHealth): void;
}

/**
 * The way to the PBX inside the worker: connects, and connects again whatever happens; keeps the book of calls and rings, so
 * that each of them is told to be over once, lost connections included.
 */
export class PbxLink implements PhoneLink {
  readonly #driver: PbxDriver;
  readonly #calls = new Set<CallId>();
  readonly #rings = new Map<string, NodeJS.Timeout>();
  #handlers: LinkHandlers | undefined;
  #session: PbxSession | undefined;
  /** Counts the attempts to connect: what an earlier one says is not heard any more. */
  #life = 0;
  #state: PhoneHealth['state'] = 'off';
  #detail: string | null = null;
  #retry: NodeJS.Timeout | undefined;

  constructor(driver: PbxDriver) {
    this.#driver = driver;
  }

  async start(handlers: LinkHandlers): Promise<void> {
    this.#handlers = handlers;
    void this.#connect();
  }

  play(call: CallId, turn: number, sounds: readonly Sound[]): void {
    if (this.#calls.has(call))
      this.#session?.play(
        call,
        turn,
        sounds.filter((sound) => SOUND.test(sound)),
      );
  }

  /** A digit has come before the play of that turn could begin: it need not. */
  stopPlay(call: CallId, turn: number): void {
    if (this.#calls.has(call)) this.#session?.stopPlay(call, turn);
  }

  hangUp(call: CallId): void {
    if (this.#calls.has(call)) this.#session?.hangUp(call);
  }

  ring(ring: string, number: PhoneNumber): void {
    const isFit = RING_ID.test(ring) && NUMBER.test(number) && !this.#rings.has(ring) && this.#rings.size < MOST_RINGS;
    if (this.#session === undefined || !isFit) {
      this.#handlers?.onRingFailed(ring, 'unreachable');
      return;
    }
    this.#rings.set(
      ring,
      setTimeout(() => this.#ringFailed(ring, 'unanswered'), RING_BOUND),
    );
    this.#session.ring(ring, number);
  }

  health(): PhoneHealth {
    return { state: this.#state, detail: this.#detail, calls: this.#calls.size };
  }

  /** Something was thrown that nobody caught: the connection is not to be trusted any more. */
  fail(thrown: unknown): void {
    if (this.#state === 'connected' || this.#state === 'connecting')
      this.#lost(new PbxError('unreachable', `the connection broke: ${toError(thrown).message}`, thrown));
  }

  async stop(): Promise<void> {
    this.#handlers = undefined;
    const session = this.#session;
    for (const call of this.#calls) session?.hangUp(call);
    await this.#emptied(session === undefined ? 0 : HANG_UP_BOUND);
    this.#drop();
    clearTimeout(this.#retry);
    this.#tell('off', null);
    session?.close();
  }

  /** Resolves when no call is left, or after a while. */
  async #emptied(bound: number): Promise<void> {
    for (let waited = 0; this.#calls.size > 0 && waited < bound; waited += HANG_UP_STEP) {
      await new Promise((resolve) => setTimeout(resolve, HANG_UP_STEP));
    }
  }

  async #connect(): Promise<void> {
    const life = ++this.#life;
    const isOurs = () => life === this.#life;
    this.#state = this.#state === 'off' ? 'connecting' : this.#state;
    const handlers = {
      onCall: (call: Call) => isOurs() && this.#begin(call),
      onDigit: (call: CallId, digit: Digit) =>
        isOurs() && this.#calls.has(call) && this.#handlers?.onDigit(call, digit),
      onPlayed: (call: CallId, turn: number) =>
        isOurs() && this.#calls.has(call) && this.#handlers?.onPlayed(call, turn),
      onHangUp: (call: CallId) => isOurs() && this.#end(call),
      onRingFailed: (ring: string, why: RingFailure) => isOurs() && this.#ringFailed(ring, why),
      onAuthorize: (authorization: Authorization) => isOurs() && this.#handlers?.onAuthorize(authorization),
      onLost: (error: PbxError) => isOurs() && this.#lost(error),
    };
    try {
      const session = await this.#driver.connect(handlers);
      if (!isOurs()) return session.close();
      this.#session = session;
      this.#tell('connected', null);
      session.listen();
    } catch (error) {
      if (isOurs()) this.#lost(error instanceof PbxError ? error : new PbxError('unreachable', toError(error).message));
    }
  }

  #lost(error: PbxError): void {
    this.#session?.close();
    this.#drop();
    this.#tell(error.kind === 'unreachable' ? 'unreachable' : 'refused', error.message);
    this.#retry = setTimeout(() => void this.#connect(), error.kind === 'refused' ? SLOW_RETRY : RETRY);
  }

  /** Nothing of this connection is heard from here on. */
  #drop(): void {
    this.#life++;
    this.#session = undefined;
    for (const call of [...this.#calls]) this.#end(call);
    for (const ring of [...this.#rings.keys()]) this.#ringFailed(ring, 'unreachable');
  }

  #begin(call: Call): void {
    if (this.#calls.has(call.id)) return;
    if (call.ring !== null && !this.#endRing(call.ring)) {
      // It was given up.
      this.#session?.hangUp(call.id);
      return;
    }
    this.#calls.add(call.id);
    this.#handlers?.onCall(call);
  }

  #end(call: CallId): void {
    if (this.#calls.delete(call)) this.#handlers?.onHangUp(call);
  }

  #ringFailed(ring: string, why: RingFailure): void {
    if (this.#endRing(ring)) this.#handlers?.onRingFailed(ring, why);
  }

  #endRing(ring: string): boolean {
    clearTimeout(this.#rings.get(ring));
    return this.#rings.delete(ring);
  }

  #tell(state: PhoneHealth['state'], detail: string | null): void {
    this.#state = state;
    this.#detail = detail;
    this.#handlers?.onHealth(this.health());
  }
}
