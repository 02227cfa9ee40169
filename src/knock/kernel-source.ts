import { setImmediate } from 'node:timers/promises';
import type { Target } from '../core/address.js';
import type { Completion } from '../core/firewall.js';
import { completedSequence, readMark } from '../core/knock/automaton.js';
import type { CompletedKnock, EarlyGrant, KnockHandlers, KnockSource, SourceHealth } from '../core/knock/source.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import type { LoggedPacket } from '../netlink/nflog.js';
import type { KernelStrikes } from './kernel-strikes.js';

/** How often the mailbox is looked into where there is no doorbell, in milliseconds. */
const POLL_MS = 250;
/** In every so manieth of these looks the ignored sources are read as well. */
const STRIKES_EVERY = 8;
/** So many knocks of a full mailbox are answered at a time: the event loop has others to serve. */
const PIECE = 250;

/**
 * Knocks that the kernel's automaton recognises. NFLOG is the doorbell: it rings for each completed sequence. The mailbox,
 * a set in the kernel, holds what nobody has answered yet: it is read at the start, when the doorbell may have been
 * missed, and regularly where there is no doorbell. What is still being answered then lies there as well: it is not
 * handed over again, since it would count as a second knock.
 */
export class KernelKnockSource implements KnockSource {
  readonly #readMailbox: () => Promise<readonly Completion[]>;
  readonly #hasDoorbell: boolean;
  readonly #strikes: KernelStrikes | null;
  readonly #onProblem: (error: unknown) => void;
  #onKnocks: KnockHandlers['onKnocks'] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | null = null;
  #rescued: readonly CompletedKnock[] = [];
  /** What was handed over and is not answered yet, and how often. */
  readonly #inHand = new Map<string, number>();
  /** What was in hand at any moment since the reading of the mailbox began; undefined while it is not read. */
  #handed: Set<string> | undefined;
  #reading: Promise<void> = Promise.resolve();
  #nextReading: Promise<void> | undefined;

  constructor(options: {
    readMailbox: () => Promise<readonly Completion[]>;
    hasDoorbell: boolean;
    /** Null where no source is ever ignored. */
    strikes: KernelStrikes | null;
    onProblem: (error: unknown) => void;
  }) {
    this.#readMailbox = options.readMailbox;
    this.#hasDoorbell = options.hasDoorbell;
    this.#strikes = options.strikes;
    this.#onProblem = options.onProblem;
  }

  async start({ onKnocks, onStruck }: KnockHandlers): Promise<void> {
    this.#onKnocks = onKnocks;
    this.#hand(this.#rescued);
    this.#rescued = [];
    await this.collect();
    await this.#strikes?.start(onStruck);
    if (!this.#hasDoorbell) this.#poll();
  }

  /** Keeps what lies in the mailbox of a table that is about to be replaced; it is answered at the start. */
  async rescue(): Promise<void> {
    const found = await this.#readMailbox().catch(() => []);
    this.#rescued = found.flatMap((completion) => toKnock(completion, new Uint8Array()));
  }

  async ignored(): Promise<readonly IgnoredSource[]> {
    return (await this.#strikes?.ignored()) ?? [];
  }

  async forgive(targets: readonly Target[]): Promise<void> {
    await this.#strikes?.forgive(targets);
  }

  async stop(): Promise<void> {
    this.#onKnocks = undefined;
    clearTimeout(this.#timer);
    this.#strikes?.stop();
  }

  health(): SourceHealth {
    if (this.#onKnocks === undefined) return { state: 'stopped', detail: null };
    if (this.#problem !== null) return { state: 'failed', detail: this.#problem };
    if (this.#hasDoorbell) return { state: 'listening', detail: null };
    return {
      state: 'polling',
      detail: 'netlink cannot be used; knocks are answered within half a second, and pairing codes are not heard',
    };
  }

  /** The doorbell rang; `early`: what is open already for the first packet. Before the start nothing is lost: the mailbox has it. */
  ring(packets: readonly LoggedPacket[], early: EarlyGrant | null = null): void {
    this.#strikes?.ring(packets);
    this.#hand(
      packets.flatMap(({ source, mark, payload }, i) => {
        const { state, isPaired } = readMark(mark);
        const knocks = toKnock({ source, state }, payload, i === 0 ? early : null);
        // The rules leave out of the mailbox what has a pairing code.
        return isPaired ? knocks.map((knock) => ({ ...knock, completion: null })) : knocks;
      }),
    );
  }

  /** The doorbell may have been missed: finds out what it would have told. */
  async missed(): Promise<void> {
    await Promise.all([this.collect(), this.#strikes?.collect()]);
  }

  /** Answers what lies in the mailbox, and resolves when all of it was handed over. */
  collect(): Promise<void> {
    // A call while the mailbox is read may ask for what came after the reading began.
    this.#nextReading ??= this.#reading.then(async () => {
      this.#nextReading = undefined;
      this.#reading = this.#read();
      await this.#reading;
    });
    return this.#nextReading;
  }

  async #read(): Promise<void> {
    const handed = new Set(this.#inHand.keys());
    this.#handed = handed;
    try {
      const knocks = (await this.#readMailbox()).flatMap((completion) => toKnock(completion, new Uint8Array()));
      this.#problem = null;
      for (let start = 0; start < knocks.length; start += PIECE) {
        if (start > 0) await setImmediate();
        this.#hand(knocks.slice(start, start + PIECE).filter((knock) => !handed.has(keyOf(knock))));
      }
    } catch (error) {
      if (this.#problem === null) this.#onProblem(error);
      this.#problem = 'the mailbox of knocks cannot be read';
    } finally {
      this.#handed = undefined;
    }
  }

  #hand(knocks: readonly CompletedKnock[]): void {
    if (knocks.length === 0 || this.#onKnocks === undefined) return;
    const keys = knocks.map(keyOf);
    for (const key of keys) {
      this.#inHand.set(key, (this.#inHand.get(key) ?? 0) + 1);
      this.#handed?.add(key);
    }
    void this.#onKnocks(knocks).finally(() => {
      for (const key of keys) {
        const others = (this.#inHand.get(key) ?? 1) - 1;
        if (others === 0) this.#inHand.delete(key);
        else this.#inHand.set(key, others);
      }
    });
  }

  #poll(look = 1): void {
    this.#timer = setTimeout(async () => {
      await this.collect();
      if (look % STRIKES_EVERY === 0) await this.#strikes?.collect();
      if (this.#onKnocks !== undefined) this.#poll(look + 1);
    }, POLL_MS);
    this.#timer.unref();
  }
}

function keyOf({ source, sequenceId }: CompletedKnock): string {
  return `${sequenceId} ${source}`;
}

function toKnock(completion: Completion, payload: Uint8Array, early: EarlyGrant | null = null): CompletedKnock[] {
  const sequenceId = completedSequence(completion.state);
  return sequenceId === undefined ? [] : [{ source: completion.source, sequenceId, payload, completion, early }];
}
