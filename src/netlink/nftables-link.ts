import { setImmediate as breathe } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Pace } from '../core/pace.js';
import type { Monotonic } from '../core/time.js';
import { type Batch, encodeBatch, encodeGetRequest, type Operation, type SetElement } from './elements.js';
import { NetlinkError, toError, unavailable } from './errors.js';
import type { Reply, Request } from './nftables-worker.js';
import { decodePiece, mergePasses, monotonicNow, type Piece, type Reading } from './passes.js';
import { ended, firstMessage, SMALL_YOUNG } from './worker-thread.js';

export type { Operation, SetElement } from './elements.js';
export { isMissing, NetlinkError } from './errors.js';

/** So many elements are asked for at once: the answers must find room in the socket. */
const KEYS = 1000;
/** So many such requests are with the thread at once, so that it need not wait for the next. */
const AHEAD = 3;

/** The elements of a set, some hundred at a time. */
export interface Found {
  readonly elements: readonly SetElement[];
  /** When what they have `remaining` was left, in milliseconds of CLOCK_MONOTONIC. */
  readonly at: Monotonic;
}

type Answer = number | Reading | undefined;

interface Waiting {
  readonly resolve: (value: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly refusal: (errno: number, sequence: number | undefined) => NetlinkError;
  readonly onPiece: ((piece: Piece) => void) | undefined;
}

/** The elements of the sets of one table of family inet, read and written over netlink by a thread of its own. */
export class NftablesLink {
  /** The netlink port id of the writer: the kernel's events carry it for what this link changes. */
  readonly portId: number;
  readonly #table: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** Settles when every batch asked for so far is with the worker. */
  #sent: Promise<unknown> = Promise.resolve();
  #closing = false;
  #failure: Error | undefined;

  /**
   * The table need not exist yet.
   * @throws SP_NETLINK_UNAVAILABLE where koffi cannot be loaded, or without CAP_NET_ADMIN, or without nf_tables
   */
  static async open({ table }: { readonly table: string }): Promise<NftablesLink> {
    const worker = new Worker(new URL('./nftables-worker.js', import.meta.url), {
      name: 'nftables',
      resourceLimits: SMALL_YOUNG,
    });
    try {
      const first = await firstMessage<Reply>(worker);
      if (first.kind === 'unavailable') throw toError(first.failure);
      return new NftablesLink(table, worker, first.kind === 'ready' ? first.portId : 0);
    } catch (error) {
      void worker.terminate();
      throw error;
    }
  }

  private constructor(table: string, worker: Worker, portId: number) {
    this.#table = table;
    this.#worker = worker;
    this.portId = portId;
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error) => this.#fail(toError(unavailable(error))));
    worker.on('exit', () => this.#fail(toError(unavailable('the link is closed'))));
  }

  /**
   * Carries out operations in order as one transaction, all or nothing. Calls are carried out in the order in which they
   * were made. Adding an element that is there changes neither its timeout (before Linux 6.12) nor its comment; with
   * other data, in a map, it is refused (EEXIST; EBUSY on older kernels). To renew: add, delete, add.
   * @throws NetlinkError for the first operation refused: ENOENT where there is no such set or, on delete, no such element
   * @throws RangeError for an element that cannot be: a programming error
   * @throws SP_NETLINK_UNAVAILABLE after close
   */
  async transact(operations: readonly Operation[]): Promise<void> {
    this.#assertOpen();
    const sent = this.#sent.then(async () => {
      const batch = await encode(this.#table, operations);
      return { answer: batch.last === 0 ? undefined : this.#commit(batch, operations) };
    });
    this.#sent = sent.catch(() => {});
    await (await sent).answer;
  }

  /**
   * All elements of a set, each once, in no order. A transaction in between begins it anew; in the end the transactions
   * of this link wait for it. Sets of more than some 300 elements are read at least twice, since the kernel loses elements
   * when others expire meanwhile. What the packet path adds or drops meanwhile may be there or not.
   * @throws NetlinkError ENOENT where there is no such set, EINTR where transactions of others kept coming in between
   */
  async dump(set: string): Promise<SetElement[]> {
    this.#assertOpen();
    const failed = (errno: number) => new NetlinkError(errno, `dumping set ${set}`);
    const reading = await this.#request((id) => ({ kind: 'dump', id, table: this.#table, set }), failed);
    const elements: SetElement[] = [];
    for await (const found of decode(reading)) for (const element of found.elements) elements.push(element);
    return elements;
  }

  /**
   * Reads a set once, a piece at a time while the kernel still gives others. Elements may be left out where others expire,
   * come or go meanwhile, and some come twice, the later word being the newer: for whoever looks again.
   * @throws NetlinkError ENOENT where there is no such set
   */
  async *scan(set: string): AsyncGenerator<Found> {
    this.#assertOpen();
    const failed = (errno: number) => new NetlinkError(errno, `dumping set ${set}`);
    const pieces: Piece[] = [];
    let wakeUp = () => {};
    let isOver = false;
    const onPiece = (piece: Piece) => {
      pieces.push(piece);
      wakeUp();
    };
    const request = (id: number): Request => ({ kind: 'scan', id, table: this.#table, set });
    const done = this.#request(request, failed, [], onPiece).finally(() => {
      isOver = true;
      wakeUp();
    });
    done.catch(() => undefined);
    const pace = new Pace(monotonicNow, breathe);
    while (pieces.length > 0 || !isOver) {
      const piece = pieces.shift();
      if (piece !== undefined) yield { elements: decodePiece(piece.bytes), at: piece.at };
      else {
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
      }
      if (pace.isDue) await pace.rest();
    }
    await done;
  }

  /**
   * Those of the elements with these keys that are there, a thousand at a time and in no order.
   * @throws NetlinkError
   */
  async *get(set: string, keys: Iterable<Uint8Array>): AsyncGenerator<Found> {
    this.#assertOpen();
    const failed = (errno: number) => new NetlinkError(errno, `reading elements of set ${set}`);
    const answers: Promise<Answer>[] = [];
    const ask = (some: readonly Uint8Array[]) => {
      const bytes = encodeGetRequest(this.#table, set, some);
      const answer = this.#request((id) => ({ kind: 'get', id, bytes }), failed, [bytes.buffer]);
      answer.catch(() => undefined);
      answers.push(answer);
    };
    for (const some of inPieces(keys, KEYS)) {
      ask(some);
      if (answers.length >= AHEAD) yield* decode(await answers.shift());
    }
    for (const answer of answers) yield* decode(await answer);
  }

  /** The number of the last transaction on any table of this network namespace. @throws NetlinkError */
  async generation(): Promise<number> {
    this.#assertOpen();
    const failed = (errno: number) => new NetlinkError(errno, 'reading the generation');
    return Number(await this.#request((id) => ({ kind: 'generation', id }), failed));
  }

  /** Takes no more, waits up to two seconds for what was asked for before, and ends the thread. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#sent;
    this.#worker.postMessage({ kind: 'close' } satisfies Request);
    await ended(this.#worker);
    this.#fail(toError(unavailable('the link is closed')));
  }

  async #commit({ bytes, last, operationOf }: Batch, operations: readonly Operation[]): Promise<void> {
    await this.#request(
      (id) => ({ kind: 'transact', id, bytes, last }),
      (errno, sequence) => {
        const index = sequence === undefined ? undefined : operationOf[sequence];
        const operation = index === undefined ? undefined : operations[index];
        if (operation === undefined) return new NetlinkError(errno, 'committing a transaction');
        return new NetlinkError(errno, `${operation.op} in set ${operation.set}`, index);
      },
      [bytes.buffer],
    );
  }

  #request(
    build: (id: number) => Request,
    refusal: Waiting['refusal'],
    transfer: ArrayBuffer[] = [],
    onPiece?: (piece: Piece) => void,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject, refusal, onPiece });
      this.#worker.postMessage(build(id), transfer);
    });
  }

  #settle(reply: Reply): void {
    if (reply.kind === 'piece') this.#waiting.get(reply.id)?.onPiece?.(reply.piece);
    if (reply.kind !== 'done' && reply.kind !== 'refused') return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === 'done') waiting?.resolve(reply.value);
    else waiting?.reject(waiting.refusal(reply.errno, reply.sequence));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }

  #assertOpen(): void {
    if (this.#closing) throw toError(unavailable('the link is closed'));
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Encodes a batch; a large one in slices. */
async function encode(table: string, operations: readonly Operation[]): Promise<Batch> {
  const steps = encodeBatch(table, operations);
  const pace = new Pace(monotonicNow, breathe);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (pace.isDue) await pace.rest();
  }
}

/** @throws NetlinkError EBADMSG */
async function* decode(reading: Answer): AsyncGenerator<Found> {
  if (typeof reading !== 'object') return;
  const pace = new Pace(monotonicNow, breathe);
  for (const elements of mergePasses(reading)) {
    yield { elements, at: reading.at };
    if (pace.isDue) await pace.rest();
  }
}

function* inPieces<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < size) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
