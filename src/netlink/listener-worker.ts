/** The thread that listens: it waits in poll() and never returns to an event loop until it is woken to stop. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { EarlyGrant } from '../core/knock/source.js';
import { EarlyOpener } from './early.js';
import { EBADMSG, EBUSY, EINTR, EPERM, type Failure, isLoss, NetlinkError, unavailable } from './errors.js';
import { type Libc, loadLibc } from './libc.js';
import { IS_OVER, MOST_ROUNDS_AHEAD, ROUNDS_AHEAD, WAKE_FD } from './listener-shared.js';
import { readKnock } from './logged-knock.js';
import { decodeErrno, NLMSG_ERROR } from './message.js';
import { decodePackets, encodeNflogBind, type LoggedPacket } from './nflog.js';
import type { EarlyLayout, StandingOrder } from './opening-template.js';
import { sampleMessage } from './sample.js';
import { askForSlice } from './scheduling.js';
import { NetlinkSocket, NFNLGRP_NFTABLES } from './socket.js';
import { type TableChange, TransactionWatch } from './transactions.js';

export interface ListenerData {
  readonly group: number | null;
  readonly table: string;
  readonly ownPortIds: readonly number[];
  readonly receiveBuffer: number;
  /** Null where nothing is opened early. */
  readonly early: EarlyLayout | null;
  /** Numbers shared with the main thread: see listener-shared.ts. */
  readonly shared: Int32Array;
}

/** What wakes this thread while it goes on. */
export interface Orders {
  readonly removed: readonly number[];
  readonly put: readonly StandingOrder[];
}

export type Source = 'nflog' | 'events';

export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | {
      readonly kind: 'round';
      readonly packets: readonly LoggedPacket[];
      /** What was opened for the first of them. */
      readonly early: EarlyGrant | null;
      readonly changes: readonly TableChange[];
      readonly overruns: readonly Source[];
    };

const EFD_CLOEXEC = 0x80000;
const POLLIN = 1;
/** Milliseconds between looks at whether the thread is to end, should nobody wake it. */
const BACKSTOP = 1000;
/** Enough for the IP header with its options, and the transport's. */
const COPY_BYTES = 128;
/** Datagrams read of one socket before what they held is reported and the other has its turn. */
const ROUND = 100;

/** For so many milliseconds at most is it kept back that packets were lost, while others still wait to be read. */
const KEEP_BACK = 5000;

/** So often is a message decoded before one comes, that the engine has compiled what it would interpret at first. */
const REHEARSALS = 500;

/**
 * Nanoseconds that hearing of a knock and opening take, and a little more. Woken on a processor where somebody else runs, this
 * thread would otherwise wait for up to four milliseconds.
 */
const SLICE_NS = 300_000;

/** The NFLOG group belongs to another. */
class GroupTaken extends Error {}

/** An array of struct pollfd: int fd, short events, short revents; each waits for input. */
class PollSet {
  readonly fds: Int32Array;
  readonly count: number;
  readonly #shorts: Int16Array;

  constructor(fds: readonly number[]) {
    this.count = fds.length;
    this.fds = new Int32Array(2 * fds.length);
    this.#shorts = new Int16Array(this.fds.buffer);
    for (const [index, fd] of fds.entries()) {
      this.fds[2 * index] = fd;
      this.#shorts[4 * index + 2] = POLLIN;
    }
  }

  /** Input is there, or an error to be read. Like all that poll() tells, it holds until the next call. */
  isReady(index: number): boolean {
    return this.#shorts[4 * index + 3] !== 0;
  }
}

const port = parentPort;
if (port === null) throw new Error('this module runs on a worker thread');
const data: ListenerData = workerData;
const report = (message: Report): void => port.postMessage(message);

const groupTaken: Failure = { code: 'SP_NFLOG_BUSY', details: { group: data.group ?? 0 } };
const sockets: NetlinkSocket[] = [];
try {
  const libc = await loadLibc();
  const wake = libc.eventfd(0, EFD_CLOEXEC);
  if (wake < 0) throw new NetlinkError(libc.errno(), 'making an eventfd');
  Atomics.store(data.shared, WAKE_FD, wake);
  // Joining the events' group needs the same rights as NFLOG: from here on, EPERM means that the group is taken.
  const events = NetlinkSocket.open(libc, { group: NFNLGRP_NFTABLES, receiveBuffer: data.receiveBuffer });
  sockets.push(events);
  const writer = NetlinkSocket.open(libc, { receiveBuffer: data.receiveBuffer });
  sockets.push(writer);
  const ownPortIds = [...data.ownPortIds, writer.portId];
  events.ignore(ownPortIds);
  const nflog = data.group === null ? null : NetlinkSocket.open(libc, { receiveBuffer: data.receiveBuffer });
  if (nflog !== null && data.group !== null) {
    sockets.push(nflog);
    bindGroup(nflog, data.group);
  }
  const early = data.early && new EarlyOpener(writer, data.early);
  const sample = sampleMessage();
  for (let n = 0; n < REHEARSALS; n++) decodePackets(sample);
  early?.rehearse(sample);
  askForSlice(libc, SLICE_NS);
  report({ kind: 'ready' });
  listen(libc, { wake, events, nflog, early, watch: new TransactionWatch(data.table, ownPortIds) });
} catch (error) {
  report({ kind: 'failed', failure: error instanceof GroupTaken ? groupTaken : unavailable(error) });
} finally {
  for (const socket of sockets) socket.close();
  port.close();
}

/** @throws GroupTaken, NetlinkError */
function bindGroup(nflog: NetlinkSocket, group: number): void {
  const answers = nflog.request(encodeNflogBind(group, COPY_BYTES));
  const answer = answers.find(({ type }) => type === NLMSG_ERROR);
  const errno = answer === undefined ? EBADMSG : (decodeErrno(answer.body) ?? EBADMSG);
  // Another process's group is answered by EPERM, another socket's of the same port id by EBUSY.
  if (errno === EPERM || errno === EBUSY) throw new GroupTaken();
  if (errno !== 0) throw new NetlinkError(errno, `binding NFLOG group ${group}`);
}

interface Ears {
  readonly wake: number;
  readonly events: NetlinkSocket;
  readonly nflog: NetlinkSocket | null;
  readonly early: EarlyOpener | null;
  readonly watch: TransactionWatch;
}

function listen(libc: Libc, { wake, events, nflog, early, watch }: Ears): void {
  const everything = new PollSet([wake, events.fd, ...(nflog === null ? [] : [nflog.fd])]);
  const onlyWake = new PollSet([wake]);
  const count = new Uint8Array(8);
  /** When packets were lost that nobody was told of yet. */
  let lostAt: number | undefined;
  while (Atomics.load(data.shared, IS_OVER) === 0) {
    const isAhead = Atomics.load(data.shared, ROUNDS_AHEAD) >= MOST_ROUNDS_AHEAD;
    const waiting = isAhead ? onlyWake : everything;
    const patience = lostAt === undefined || isAhead ? BACKSTOP : 0;
    if (libc.poll(waiting.fds, waiting.count, patience) < 0) {
      const errno = libc.errno();
      if (errno !== EINTR) throw new NetlinkError(errno, 'poll');
      continue;
    }
    if (waiting.isReady(0)) {
      libc.read(wake, count, count.length);
      takeOrders(early);
    }
    if (isAhead || waiting.isReady(0)) continue;
    const packets: LoggedPacket[] = [];
    const changes: TableChange[] = [];
    const overruns: Source[] = [];
    let opened: EarlyGrant | undefined;
    if (nflog !== null && (waiting.isReady(2) || lostAt !== undefined)) {
      const { isWhole, isEmpty } = drain(nflog, (datagram) => {
        if (early !== null && packets.length === 0) {
          // Before all else is read of it, and before it is known whether more wait.
          const knock = readKnock(datagram);
          if (knock !== undefined) opened = early.open(knock);
        }
        packets.push(...decodePackets(datagram));
      });
      if (!isWhole) lostAt ??= performance.now();
      // Whoever hears of it looks for what nobody was told of: that should not be what still waits here.
      if (lostAt !== undefined && (isEmpty || performance.now() - lostAt > KEEP_BACK)) {
        lostAt = undefined;
        overruns.push('nflog');
      }
    }
    if (waiting.isReady(1)) {
      const { isWhole } = drain(events, (datagram) => changes.push(...watch.feed(datagram)));
      if (!isWhole) {
        overruns.push('events');
        watch.reset();
      }
    }
    if (packets.length + changes.length + overruns.length === 0) continue;
    Atomics.add(data.shared, ROUNDS_AHEAD, 1);
    report({ kind: 'round', packets, early: opened ?? null, changes, overruns });
  }
}

/** The main thread posts first and wakes then: none is missed. */
function takeOrders(early: EarlyOpener | null): void {
  for (;;) {
    const received: { message: Orders } | undefined = receiveMessageOnPort(parentPort as MessagePort);
    if (received === undefined) return;
    early?.order(received.message.removed, received.message.put);
  }
}

/** Hands over what waits, up to a round's worth; tells whether nothing was lost, and whether nothing more waits. */
function drain(
  socket: NetlinkSocket,
  take: (datagram: Uint8Array) => void,
): { readonly isWhole: boolean; readonly isEmpty: boolean } {
  let isWhole = true;
  for (let n = 0; n < ROUND; n++) {
    try {
      const datagram = socket.receive();
      if (datagram === undefined) return { isWhole, isEmpty: true };
      take(datagram);
    } catch (error) {
      if (!isLoss(error)) throw error;
      isWhole = false;
    }
  }
  return { isWhole, isEmpty: false };
}
