/** The thread of the PBX: holds the connection, and the libraries that it needs, apart from everything else. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CallId } from '../core/phone/link.js';
import { AmiDriver } from './ami-driver.js';
import { AriDriver } from './ari-driver.js';
import { PbxLink } from './pbx-link.js';
import type { PhoneReport, PhoneRequest, PhoneSetup } from './thread-protocol.js';

/** Reports that may wait to be read; the least of them are left out where the main thread is held up for long. */
const MOST_UNREAD = 20_000;
/** With so many unread no authorization is handed on: a flood of user events leaves room for digits. */
const MOST_BEFORE_AUTHORIZATION = 1000;

const port = parentPort;
if (port === null) throw new Error('this module runs on a worker thread');
const setup: PhoneSetup = workerData;
const link = new PbxLink(setup.driver === 'ari' ? new AriDriver(setup.ari) : new AmiDriver(setup.ami));

/** By call: the latest turn that was asked for. */
const turns = new Map<CallId, number>();
let unread = 0;

function tell(report: PhoneReport): void {
  unread++;
  port?.postMessage(report);
}

// The libraries throw from timers and sockets of their own, where only this catches it.
process.on('uncaughtException', (error) => link.fail(error));
process.on('unhandledRejection', (error) => link.fail(error));

port.on('message', (request: PhoneRequest) => {
  switch (request.kind) {
    case 'play':
      if (turns.has(request.call)) turns.set(request.call, request.turn);
      link.play(request.call, request.turn, request.sounds);
      break;
    case 'stop-play':
      link.stopPlay(request.call, request.turn);
      break;
    case 'hang-up':
      link.hangUp(request.call);
      break;
    case 'ring':
      link.ring(request.ring, request.number);
      break;
    case 'ping':
      unread -= request.read;
      tell({ kind: 'pong' });
      break;
    case 'stop':
      void link.stop().finally(() => tell({ kind: 'stopped' }));
      break;
  }
});

await link.start({
  onCall: (call) => {
    turns.set(call.id, -1);
    tell({ kind: 'call', call });
  },
  onDigit: (call, digit) => {
    if (unread < MOST_UNREAD) tell({ kind: 'digit', call, digit, turn: turns.get(call) ?? -1 });
  },
  onPlayed: (call, turn) => {
    if (unread < MOST_UNREAD) tell({ kind: 'played', call, turn });
  },
  onHangUp: (call) => {
    turns.delete(call);
    tell({ kind: 'hung-up', call });
  },
  onRingFailed: (ring, why) => tell({ kind: 'ring-failed', ring, why }),
  onAuthorize: (authorization) => {
    if (unread < MOST_BEFORE_AUTHORIZATION) tell({ kind: 'authorize', authorization });
  },
  onHealth: ({ state, detail }) => tell({ kind: 'health', state, detail }),
});
tell({ kind: 'health', ...link.health() });
