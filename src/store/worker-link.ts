import { Worker } from 'node:worker_threads';
import type { SallyportError } from '../core/errors.js';
import { failed, toError } from './faults.js';
import { type Answers, type NumberedRequest, OPENING, type Reply, type Request, type WorkerSetup } from './protocol.js';

interface Waiter {
  resolve(value: Answers[keyof Answers]): void;
  reject(error: SallyportError): void;
}

/** The main thread's end of the worker: requests and their answers by number, and the news of its death. */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter>();
  readonly #onDeath: (error: SallyportError) => void;
  #lastId = OPENING;
  #dead: SallyportError | undefined;
  /** Set where the worker ends by itself as it should: it was told to close, or could not open. */
  #isLeaving = false;
  /** Resolves when the worker has opened the state; rejects with a coded error. */
  readonly opened: Promise<unknown>;

  /** Starts the worker. `onDeath` is told once, after all that wait were rejected; not where the death was asked for. */
  constructor(setup: WorkerSetup, onDeath: (error: SallyportError) => void) {
    this.#onDeath = onDeath;
    // Options of this process (--eval, --test, an inspector's port) are not the worker's.
    const options = { workerData: setup, name: 'store', execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 3 } };
    this.#worker = new Worker(new URL('./store-worker.js', import.meta.url), options);
    this.opened = new Promise((resolve, reject) => this.#waiters.set(OPENING, { resolve, reject }));
    this.#worker.on('message', (reply: Reply) => this.#receive(reply));
    this.#worker.on('messageerror', (error) => this.#die(failed('an answer could not be read', error)));
    this.#worker.on('error', (error) => this.#die(failed(`its thread died: ${messageOf(error)}`, error)));
    this.#worker.on('exit', (status) => this.#die(failed(`its thread ended with status ${status}`), !this.#isLeaving));
  }

  /** Rejects with the coded error that the worker met, or SP_STORE_FAILED where it is dead. */
  ask<R extends Request>(request: R): Promise<Answers[R['kind']]> {
    if (this.#dead) return Promise.reject(this.#dead);
    if (request.kind === 'close') this.#isLeaving = true;
    const id = ++this.#lastId;
    const message: NumberedRequest = { id, request };
    return new Promise((resolve, reject) => {
      // The worker answers each kind with its own type of value.
      this.#waiters.set(id, { resolve: (value) => resolve(value as Answers[R['kind']]), reject });
      this.#worker.postMessage(message);
    });
  }

  /** Ends the worker as it stands, without telling `onDeath`. A thread stuck in the kernel ends when the kernel lets go. */
  end(reason: SallyportError): void {
    this.#die(reason, false);
    void this.#worker.terminate();
    this.#worker.unref();
  }

  #receive(reply: Reply): void {
    if (reply.id === OPENING && 'fault' in reply) this.#isLeaving = true;
    const waiter = this.#waiters.get(reply.id);
    this.#waiters.delete(reply.id);
    if ('fault' in reply) waiter?.reject(toError(reply.fault));
    else waiter?.resolve(reply.value);
  }

  #die(error: SallyportError, tell = true): void {
    if (this.#dead) return;
    this.#dead = error;
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
    if (tell) this.#onDeath(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
