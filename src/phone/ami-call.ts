import type { CallId, Digit, Sound } from '../core/phone/link.js';
import { isDigit } from './ari-event.js';

export interface AmiCallTold {
  onDigit(digit: Digit): void;
  onPlayed(turn: number): void;
}

/** Asterisk reads digits only while a command runs; it waits for one so long (milliseconds), and again. */
const WAIT = 150;
/** So long while the channel is looked up: each look-up takes its turn behind two of these. */
const SHORT_WAIT = 50;
/** So long between two sounds. */
const PAUSE = 30;
/** Milliseconds after which another command is queued behind the one that runs: time enough for a play to come first. */
const REFILL = 30;
/** The caller is hung up after so many seconds without us, whatever became of us; said again every few seconds. */
const ALONE_SECONDS = 20;
const RENEW = 5000;

interface Command {
  readonly id: string;
  readonly kind: 'wait' | 'sound' | 'other';
  readonly resolve?: (result: string) => void;
}

/**
 * One call in AGI(agi:async): a queue of commands that Asterisk works off.
 *
 *   runs now      behind it
 *   sound ─────── short wait ── next sound ── …
 *   wait  ─────── wait ──────── …
 *
 * Between two commands that lie in the queue no digit is lost; where the queue runs empty, digits fall into the void. So there is
 * always one behind the one that runs. A digit ends the command that runs, and the sounds that were to follow are not sent.
 */
export class AmiCall {
  readonly id: CallId;
  readonly #send: (command: string, commandId: string) => void;
  readonly #told: AmiCallTold;
  #queue: Command[] = [];
  #turn: number | null = null;
  #sounds: readonly Sound[] = [];
  #count = 0;
  #refill: NodeJS.Timeout | undefined;
  #renew: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Digits that came before the call was told of. */
  #early: Digit[] | undefined = [];

  /** @param send queues an AGI command; what comes of it is told by `done` */
  constructor(id: CallId, send: (command: string, commandId: string) => void, told: AmiCallTold) {
    this.id = id;
    this.#send = send;
    this.#told = told;
  }

  /** Reads a function of the channel. Before `announced` only. */
  async read(expression: string): Promise<string | null> {
    if (this.#isOver || this.#early === undefined) return null;
    const result = await new Promise<string>((resolve) =>
      this.#put('other', `GET FULL VARIABLE \${${expression}}`, resolve),
    );
    return /^200 result=1 \((.*)\)$/.exec(result)?.[1] ?? null;
  }

  /** Takes the call: from now on no digit is lost. */
  begin(isUp: boolean): void {
    if (!isUp) this.#put('other', 'ANSWER');
    this.#limit();
    this.#renew = setInterval(() => this.#limit(), RENEW);
    this.#keepFilled('other');
  }

  /** The call was told of: its digits may be, too. */
  announced(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const digit of early) this.#told.onDigit(digit);
  }

  play(turn: number, sounds: readonly Sound[]): void {
    if (this.#isOver) return;
    this.#turn = turn;
    this.#sounds = sounds;
    // One that is on its way cannot be called back: it is followed by the first of these.
    if (sounds.length === 0 || !this.#queue.some(({ kind }) => kind === 'sound')) this.#next();
  }

  stopPlay(turn: number): void {
    if (this.#turn !== turn) return;
    this.#turn = null;
    this.#sounds = [];
  }

  /** Takes its turn in the queue: at most after the sound that is being played. */
  hangUp(): void {
    if (!this.#isOver) this.#put('other', 'HANGUP');
  }

  /** Nothing more is asked for. */
  over(): void {
    this.#isOver = true;
    clearTimeout(this.#refill);
    clearInterval(this.#renew);
    for (const { resolve } of this.#queue.splice(0)) resolve?.('');
  }

  /** A command was worked off. */
  done(commandId: string, result: string): void {
    const at = this.#queue.findIndex(({ id }) => id === commandId);
    const [command] = at < 0 ? [] : this.#queue.splice(0, at + 1).slice(at);
    if (command === undefined || this.#isOver) return;
    command.resolve?.(result);
    if (command.kind !== 'other') this.#heard(command.kind, result);
    this.#keepFilled(command.kind);
  }

  #heard(kind: 'wait' | 'sound', result: string): void {
    const digit = String.fromCharCode(Number(/^200 result=(\d+)/.exec(result)?.[1] ?? 0));
    if (isDigit(digit)) {
      this.#turn = null;
      this.#sounds = [];
      if (this.#early === undefined) this.#told.onDigit(digit);
      else this.#early.push(digit);
    } else if (kind === 'sound') {
      this.#next();
    }
  }

  /** The next sound of the play, or its end. */
  #next(): void {
    const [sound, ...others] = this.#sounds;
    this.#sounds = others;
    if (sound !== undefined) {
      // A context without extensions, since a digit that is one would be dialled.
      this.#put('sound', `EXEC BackGround "${sound},,,sallyport-no-extensions"`);
    } else if (this.#turn !== null) {
      const turn = this.#turn;
      this.#turn = null;
      this.#told.onPlayed(turn);
    }
  }

  /** Something that reads digits runs, and another lies behind it. */
  #keepFilled(done: Command['kind']): void {
    const [running, next] = this.#reading;
    const wait = this.#early === undefined ? WAIT : SHORT_WAIT;
    if (running === undefined) this.#wait(wait);
    if (next !== undefined) return;
    if (running?.kind === 'sound') this.#wait(PAUSE);
    else if (running === undefined || done === 'sound' || this.#early !== undefined) this.#wait(wait);
    else {
      this.#refill ??= setTimeout(() => {
        this.#refill = undefined;
        if (this.#reading.length < 2) this.#wait(WAIT);
      }, REFILL);
    }
  }

  /** What reads digits: the others are worked off in no time, and leave the queue as empty as they found it. */
  get #reading(): readonly Command[] {
    return this.#queue.filter(({ kind }) => kind !== 'other');
  }

  #wait(ms: number): void {
    this.#put('wait', `WAIT FOR DIGIT ${ms}`);
  }

  #limit(): void {
    this.#put('other', `SET VARIABLE TIMEOUT(absolute) ${ALONE_SECONDS}`);
  }

  #put(kind: Command['kind'], command: string, resolve?: (result: string) => void): void {
    if (this.#isOver) return;
    const id = `${this.id}-${++this.#count}`;
    this.#queue.push({ id, kind, ...(resolve ? { resolve } : {}) });
    this.#send(command, id);
  }
}
