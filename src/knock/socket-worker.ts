/** The thread of the sockets: hears every packet to the pool, runs the automaton, and tells of what came of it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { State, StepKey } from '../core/knock/automaton.js';
import { KnockExecutor } from '../core/knock/executor.js';
import type { Clock, Instant, Monotonic } from '../core/time.js';
import { PoolError, SocketPool } from './socket-pool.js';
import { type SocketReport, type SocketRequest, type SocketSetup, unpackSteps } from './socket-protocol.js';

/** Sources on their way at once: some 40 MB. */
const MOST_SOURCES = 200_000;
/** Completed knocks that may wait to be answered. */
const MOST_UNANSWERED = 20_000;
/** Bytes of a datagram that are handed on: more than fit a packet. */
const LONGEST_PAYLOAD = 1500;

const port = parentPort;
if (port === null) throw new Error('this module runs on a worker thread');
const setup: SocketSetup = workerData;
const tell = (report: SocketReport): void => port.postMessage(report);

const clock: Clock = {
  now: () => Date.now() as Instant,
  monotonic: () => performance.now() as Monotonic,
};
let steps = new Map<StepKey, State>();
const executor = new KnockExecutor({
  clock,
  window: setup.window,
  steps,
  capacity: MOST_SOURCES,
  strikes: setup.strikes,
});

type Heard = Extract<SocketReport, { kind: 'heard' }>;
let knocks: Heard['knocks'][number][] = [];
let struck: Heard['struck'][number][] = [];
let dropped = 0;
let unanswered = 0;
let isTelling = false;

const pool = new SocketPool({
  pool: setup.pool,
  protocols: setup.protocols,
  onPacket: (source, knock, payload) => {
    const verdict = executor.packet(source, knock);
    if (verdict === undefined) return;
    if (verdict.kind === 'struck') struck.push(verdict.source);
    else if (unanswered >= MOST_UNANSWERED) dropped++;
    else {
      unanswered++;
      // A copy: what the socket read lies in a larger buffer, all of which would be handed on.
      knocks.push({ source, sequenceId: verdict.sequenceId, payload: payload.slice(0, LONGEST_PAYLOAD) });
    }
    if (!isTelling) {
      isTelling = true;
      setImmediate(tellHeard);
    }
  },
  // A packet that could not be read was none; the socket goes on.
  onError: () => undefined,
});

/** What came in one round is told together. */
function tellHeard(): void {
  isTelling = false;
  tell({ kind: 'heard', knocks, struck, dropped });
  knocks = [];
  struck = [];
  dropped = 0;
}

port.on('message', (request: SocketRequest) => {
  switch (request.kind) {
    case 'replace':
      steps = new Map();
      unpackSteps(request.steps, steps);
      executor.replace(steps);
      tell({ kind: 'done', id: request.id });
      break;
    case 'change':
      for (const key of request.removed) steps.delete(key as StepKey);
      unpackSteps(request.added, steps);
      tell({ kind: 'done', id: request.id });
      break;
    case 'answered':
      unanswered -= request.count;
      break;
    case 'ignored':
      tell({ kind: 'ignored', id: request.id, sources: executor.ignored() });
      break;
    case 'forgive':
      executor.forgive(request.targets);
      tell({ kind: 'done', id: request.id });
      break;
  }
});

try {
  await pool.open();
  tell({ kind: 'bound' });
} catch (error) {
  if (!(error instanceof PoolError)) throw error;
  tell({ kind: 'failed', code: error.code, details: error.details });
  port.close();
}
