import { closeSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { EarlyGrant } from '../core/knock/source.js';
import { toError, unavailable } from './errors.js';
import { IS_OVER, MOST_ROUNDS_AHEAD, ROUNDS_AHEAD, SHARED_NUMBERS, WAKE_FD } from './listener-shared.js';
import type { ListenerData, Orders, Report, Source } from './listener-worker.js';
import type { LoggedPacket } from './nflog.js';
import type { EarlyLayout, StandingOrder } from './opening-template.js';
import type { TableChange } from './transactions.js';
import { ended, firstMessage, SMALL_YOUNG } from './worker-thread.js';

export type { LoggedPacket } from './nflog.js';
export type { TableChange } from './transactions.js';

export interface NetlinkListenerEvents {
  /**
   * Packets that met a log rule of our group; those that waited together come together. The first
   * may have opened already (early.ts).
   */
  onPackets(packets: readonly LoggedPacket[], early: EarlyGrant | null): void;
  /** A transaction that touched our table was committed, and not by us. */
  onTableChanged(change: TableChange): void;
  /** The kernel, or this process, could not keep up: packets, or news of transactions, were lost. */
  onOverrun(which: Source): void;
  /** The listening ended by itself: nothing more will be heard until another listener is started. */
  onFailed(error: Error): void;
}

export interface NetlinkListenerOptions {
  /** The NFLOG group; null where no packets are wanted. */
  readonly group: number | null;
  /** The table of family inet whose changes are told. */
  readonly table: string;
  /** The netlink port ids of our own writers (NftablesLink.portId): what they change is not told. */
  readonly ownPortIds: readonly number[];
  /** Where grants are opened early, as `order` says; nowhere if left out. */
  readonly early?: EarlyLayout;
  /** Bytes that may wait in the kernel for each of the two sources; 8 MB by default. */
  readonly receiveBuffer?: number;
}

const RECEIVE_BUFFER = 8 << 20;
/** For so many milliseconds are the commits of a process not foreign. It may have ended, and its id be taken anew. */
const EXPECTED_FOR = 60_000;

/** Hears packets that log rules hand to an NFLOG group, and changes that others make to our table. */
export class NetlinkListener {
  readonly #data: ListenerData;
  readonly #events: NetlinkListenerEvents;
  readonly #expected = new Map<number, number>();
  readonly #endNow = () => this.#end();
  #worker: Worker | undefined;
  #state: 'new' | 'starting' | 'listening' | 'ended' = 'new';

  constructor(options: NetlinkListenerOptions, events: NetlinkListenerEvents) {
    this.#data = {
      group: options.group,
      table: options.table,
      ownPortIds: options.ownPortIds,
      receiveBuffer: options.receiveBuffer ?? RECEIVE_BUFFER,
      early: options.early ?? null,
      shared: new Int32Array(new SharedArrayBuffer(4 * SHARED_NUMBERS)),
    };
    this.#events = events;
  }

  /**
   * Resolves once everything that happens from now on is heard; at most once per listener.
   * @throws SP_NFLOG_BUSY where another program has the group
   * @throws SP_NETLINK_UNAVAILABLE where koffi cannot be loaded, without CAP_NET_ADMIN, or after five seconds
   */
  async start(): Promise<void> {
    this.#state = 'starting';
    const worker = new Worker(new URL('./listener-worker.js', import.meta.url), {
      name: 'netlink-listener',
      resourceLimits: SMALL_YOUNG,
      workerData: this.#data,
    });
    this.#worker = worker;
    // A process that exits waits for its threads.
    process.on('exit', this.#endNow);
    worker.once('exit', () => this.#release());
    worker.on('message', (report: Report) => this.#tell(report));
    worker.on('error', (error) => this.#fail(toError(unavailable(error))));
    worker.on('exit', () => this.#fail(toError(unavailable('the listening thread ended'))));
    try {
      const first = await firstMessage<Report>(worker);
      if (first.kind === 'failed') throw toError(first.failure);
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#state === 'starting') this.#state = 'listening';
  }

  /**
   * The commits of this process, within a minute, are our own. To be called in the same turn in which it was spawned:
   * what it does is then heard later. The kernel names it by the initial pid namespace; where that is not ours, in a
   * container say, nft is known by its netlink port.
   */
  expectProcess(pid: number): void {
    const now = performance.now();
    for (const [expected, until] of this.#expected) if (until < now) this.#expected.delete(expected);
    this.#expected.set(pid, now + EXPECTED_FOR);
  }

  /** Takes standing orders away, by their marks, and puts others in. They count a moment later. */
  order(removed: readonly number[], put: readonly StandingOrder[]): void {
    if (this.#state === 'ended') return;
    this.#worker?.postMessage({ removed, put } satisfies Orders);
    this.#wake();
  }

  /** Ends the thread at once, within two seconds at most; nothing is told after this was called. */
  async stop(): Promise<void> {
    this.#state = 'ended';
    if (this.#worker === undefined) return;
    this.#end();
    await ended(this.#worker);
  }

  #tell(report: Report): void {
    if (report.kind === 'failed') this.#fail(toError(report.failure));
    if (report.kind !== 'round' || this.#state === 'ended') return;
    // What one round gives to do takes some milliseconds: others have their turn before the next.
    setImmediate(() => this.#taken());
    if (report.packets.length > 0) this.#events.onPackets(report.packets, report.early);
    for (const change of report.changes) if (!this.#isExpected(change)) this.#events.onTableChanged(change);
    for (const which of report.overruns) this.#events.onOverrun(which);
  }

  #isExpected({ pid, portId }: TableChange): boolean {
    const now = performance.now();
    return [pid, portId].some((id) => id !== null && (this.#expected.get(id) ?? 0) >= now);
  }

  #fail(error: Error): void {
    if (this.#state !== 'listening') return;
    this.#state = 'ended';
    this.#events.onFailed(error);
  }

  #taken(): void {
    const ahead = Atomics.sub(this.#data.shared, ROUNDS_AHEAD, 1);
    if (ahead >= MOST_ROUNDS_AHEAD) this.#wake();
  }

  #end(): void {
    Atomics.store(this.#data.shared, IS_OVER, 1);
    this.#wake();
  }

  #wake(): void {
    const fd = Atomics.load(this.#data.shared, WAKE_FD);
    if (fd === 0) return;
    const one = new BigUint64Array([1n]);
    writeSync(fd, new Uint8Array(one.buffer));
  }

  /** Only after the thread has ended: a number that it still polls could by then be another file's. */
  #release(): void {
    process.off('exit', this.#endNow);
    const fd = Atomics.exchange(this.#data.shared, WAKE_FD, 0);
    if (fd !== 0) closeSync(fd);
  }
}
