import { Worker } from 'node:worker_threads';
import type { Target } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { State, StepKey, Steps } from '../core/knock/automaton.js';
import type { CompletedKnock, KnockHandlers, KnockSource, SourceHealth } from '../core/knock/source.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import {
  type HeardKnock,
  packSteps,
  type SocketReport,
  type SocketRequest,
  type SocketSetup,
} from './socket-protocol.js';

/** Milliseconds in which the whole pool must be bound; it takes less than one second. */
const OPEN_DEADLINE = 20_000;
/** Milliseconds in which the thread must answer; a flood makes it slow. */
const ANSWER_DEADLINE = 5000;
/** Milliseconds in which the thread must have ended. */
const END_DEADLINE = 2000;
/** Completed knocks that are kept until somebody listens. */
const MOST_EARLY = 1000;

/**
 * Knocks that come to sockets on every port of the pool: on any system and without privileges. Sockets and automaton live in a
 * thread of their own.
 */
export class SocketKnockSource implements KnockSource {
  readonly #setup: SocketSetup;
  readonly #onFailed: (error: Error) => void;
  readonly #waiting = new Map<number, (report: SocketReport) => void>();
  readonly #steps = new Map<StepKey, State>();
  #worker: Worker | undefined;
  #handlers: KnockHandlers | undefined;
  #early: CompletedKnock[] = [];
  #lastId = 0;
  #dropped = 0;
  #state: 'new' | 'open' | 'failed' | 'stopped' = 'new';

  /** @param onFailed told when the listening ends by itself */
  constructor(setup: SocketSetup, onFailed: (error: Error) => void) {
    this.#setup = setup;
    this.#onFailed = onFailed;
  }

  /**
   * Binds the pool; at most once. What comes from now on is heard, and handed over from the start on.
   * @throws SP_POOL_TAKEN, SP_POOL_DESCRIPTORS, SP_POOL_DENIED, SP_POOL_UNBOUND, SP_KNOCK_SOCKETS
   */
  async open(): Promise<void> {
    const options = { workerData: this.#setup, name: 'knock-sockets', execArgv: [] };
    const worker = new Worker(new URL('./socket-worker.js', import.meta.url), options);
    this.#worker = worker;
    try {
      await bound(worker);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#state = 'open';
    worker.on('message', (report: SocketReport) => this.#receive(report));
    worker.on('error', (error) => this.#fail(failed(error.message, error)));
    worker.on('exit', () => this.#fail(failed('it ended')));
  }

  async start(handlers: KnockHandlers): Promise<void> {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    this.#hand(early);
  }

  /** Ends within two seconds: all ports are free then. */
  async stop(): Promise<void> {
    this.#handlers = undefined;
    if (this.#state !== 'failed') this.#state = 'stopped';
    this.#giveUp();
    const worker = this.#worker;
    if (worker === undefined) return;
    const limit = new Promise<void>((resolve) => setTimeout(resolve, END_DEADLINE).unref());
    await Promise.race([worker.terminate(), limit]);
    worker.unref();
  }

  health(): SourceHealth {
    if (this.#state === 'failed') return { state: 'failed', detail: 'the thread that listens for knocks has died' };
    if (this.#handlers === undefined) return { state: 'stopped', detail: null };
    const { pool, protocols } = this.#setup;
    const lost = this.#dropped > 0 ? `; ${this.#dropped} knocks were dropped, too many came at once` : '';
    const detail = `${protocols.join(' and ')} sockets on ports ${pool.first}-${pool.last}${lost}`;
    return { state: 'listening', detail };
  }

  /** The automaton as it is run. */
  get steps(): Steps {
    return this.#steps;
  }

  /** Resolves when packets are held to these steps and no others. */
  async replaceSteps(steps: Steps): Promise<void> {
    this.#steps.clear();
    for (const [key, to] of steps) this.#steps.set(key, to);
    await this.#answer((id) => ({ kind: 'replace', id, steps: packSteps(steps) }));
  }

  /** Resolves when the change counts. */
  async changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    for (const key of removed) this.#steps.delete(key);
    for (const [key, to] of added) this.#steps.set(key, to);
    const packed = { removed: Float64Array.from(removed), added: packSteps(added) };
    await this.#answer((id) => ({ kind: 'change', id, ...packed }));
  }

  async ignored(): Promise<readonly IgnoredSource[]> {
    const report = await this.#answer((id) => ({ kind: 'ignored', id }));
    return report?.kind === 'ignored' ? report.sources : [];
  }

  async forgive(targets: readonly Target[]): Promise<void> {
    if (targets.length > 0) await this.#answer((id) => ({ kind: 'forgive', id, targets }));
  }

  #receive(report: SocketReport): void {
    if (report.kind === 'heard') {
      this.#dropped += report.dropped;
      this.#hand(report.knocks.map(toKnock));
      if (report.struck.length > 0) this.#handlers?.onStruck(report.struck);
    } else if (report.kind === 'ignored' || report.kind === 'done') {
      this.#waiting.get(report.id)?.(report);
    }
  }

  #hand(knocks: readonly CompletedKnock[]): void {
    if (knocks.length === 0) return;
    if (this.#handlers === undefined) {
      this.#early.push(...knocks.slice(0, MOST_EARLY - this.#early.length));
      return;
    }
    void this.#handlers.onKnocks(knocks).finally(() => this.#ask({ kind: 'answered', count: knocks.length }));
  }

  #ask(request: SocketRequest): void {
    if (this.#state === 'open') this.#worker?.postMessage(request);
  }

  /** Undefined where the thread does not answer in time, or is no more. */
  async #answer(request: (id: number) => SocketRequest): Promise<SocketReport | undefined> {
    if (this.#state !== 'open') return undefined;
    const id = ++this.#lastId;
    let limit: NodeJS.Timeout | undefined;
    try {
      return await new Promise<SocketReport | undefined>((resolve) => {
        this.#waiting.set(id, resolve);
        limit = setTimeout(resolve, ANSWER_DEADLINE, undefined).unref();
        this.#ask(request(id));
      });
    } finally {
      clearTimeout(limit);
      this.#waiting.delete(id);
    }
  }

  #fail(error: Error): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#giveUp();
    this.#onFailed(error);
  }

  #giveUp(): void {
    for (const resolve of this.#waiting.values()) resolve({ kind: 'done', id: 0 });
  }
}

/** Resolves when the thread says that the pool is bound. */
async function bound(worker: Worker): Promise<void> {
  let forget = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error) => reject(failed(error.message, error));
      const onExit = () => reject(failed('it ended'));
      const onMessage = (report: SocketReport) => {
        if (report.kind === 'failed') reject(new SallyportError(report.code, report.details));
        else resolve();
      };
      const limit = setTimeout(() => reject(failed('the pool was not bound in time')), OPEN_DEADLINE);
      worker.once('error', onError).once('exit', onExit).once('message', onMessage);
      forget = () => {
        clearTimeout(limit);
        worker.off('error', onError).off('exit', onExit).off('message', onMessage);
      };
    });
  } finally {
    forget();
  }
}

function failed(problem: string, cause?: unknown): SallyportError {
  return new SallyportError('SP_KNOCK_SOCKETS', { problem }, cause);
}

function toKnock({ source, sequenceId, payload }: HeardKnock): CompletedKnock {
  return { source, sequenceId, payload, completion: null, early: null };
}
