import type { Completion } from '../core/firewall.js';
import { completedSequence, type State } from '../core/knock/automaton.js';
import type { CompletedKnock, KnockSource, SourceHealth } from '../core/knock/source.js';
import type { LoggedPacket } from '../netlink/nflog.js';

/** How often the mailbox is looked into where there is no doorbell, in milliseconds. */
const POLL_MS = 250;

/**
 * Knocks that the kernel's automaton recognises. NFLOG is the doorbell: it rings for each completed sequence. The mailbox,
 * a set in the kernel, holds what nobody has answered yet: it is read at the start, when the doorbell may have been
 * missed, and regularly where there is no doorbell.
 */
export class KernelKnockSource implements KnockSource {
  readonly #readMailbox: () => Promise<readonly Completion[]>;
  readonly #hasDoorbell: boolean;
  readonly #onProblem: (error: unknown) => void;
  #onKnocks: ((knocks: readonly CompletedKnock[]) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | null = null;
  #rescued: readonly CompletedKnock[] = [];

  constructor(options: {
    readMailbox: () => Promise<readonly Completion[]>;
    hasDoorbell: boolean;
    onProblem: (error: unknown) => void;
  }) {
    this.#readMailbox = options.readMailbox;
    this.#hasDoorbell = options.hasDoorbell;
    this.#onProblem = options.onProblem;
  }

  async start(onKnocks: (knocks: readonly CompletedKnock[]) => void): Promise<void> {
    this.#onKnocks = onKnocks;
    if (this.#rescued.length > 0) onKnocks(this.#rescued);
    this.#rescued = [];
    await this.collect();
    if (!this.#hasDoorbell) this.#poll();
  }

  /** Keeps what lies in the mailbox of a table that is about to be replaced; it is answered at the start. */
  async rescue(): Promise<void> {
    const found = await this.#readMailbox().catch(() => []);
    this.#rescued = found.flatMap((completion) => toKnock(completion, new Uint8Array()));
  }

  async stop(): Promise<void> {
    this.#onKnocks = undefined;
    clearTimeout(this.#timer);
  }

  health(): SourceHealth {
    if (this.#onKnocks === undefined) return { state: 'stopped', detail: null };
    if (this.#problem !== null) return { state: 'failed', detail: this.#problem };
    if (this.#hasDoorbell) return { state: 'listening', detail: null };
    return { state: 'polling', detail: 'netlink cannot be used; knocks are answered within half a second' };
  }

  /** The doorbell rang. Before the start nothing is lost: the mailbox has it. */
  ring(packets: readonly LoggedPacket[]): void {
    const knocks = packets.flatMap(({ source, mark, payload }) => toKnock({ source, state: mark as State }, payload));
    if (knocks.length > 0) this.#onKnocks?.(knocks);
  }

  /** Answers what lies in the mailbox. */
  async collect(): Promise<void> {
    try {
      const knocks = (await this.#readMailbox()).flatMap((completion) => toKnock(completion, new Uint8Array()));
      this.#problem = null;
      if (knocks.length > 0) this.#onKnocks?.(knocks);
    } catch (error) {
      if (this.#problem === null) this.#onProblem(error);
      this.#problem = 'the mailbox of knocks cannot be read';
    }
  }

  #poll(): void {
    this.#timer = setTimeout(async () => {
      await this.collect();
      if (this.#onKnocks !== undefined) this.#poll();
    }, POLL_MS);
    this.#timer.unref();
  }
}

function toKnock(completion: Completion, payload: Uint8Array): CompletedKnock[] {
  const sequenceId = completedSequence(completion.state);
  return sequenceId === undefined ? [] : [{ source: completion.source, sequenceId, payload, completion }];
}
