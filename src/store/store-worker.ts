import { parentPort, workerData } from 'node:worker_threads';
import type { Change } from '../core/store.js';
import { makeDirectory, type StateFiles, stateFiles } from './directory.js';
import { type Fault, StoreFault, toFault, writeFault } from './faults.js';
import { openBeside, openForReading, openForWriting } from './open-database.js';
import { type Answers, type NumberedRequest, OPENING, type Reply, type Request, type WorkerSetup } from './protocol.js';
import { type Page, type Pages, StateReader } from './reader.js';
import { StateLock } from './state-lock.js';
import { StateWriter } from './writer.js';

/** The state directory as the worker holds it open. `writing` is absent where it was opened beside the daemon, to read. */
interface OpenState {
  readonly writing?: { readonly lock: StateLock; readonly writer: StateWriter };
  readonly reader: StateReader;
}

function open(files: StateFiles, setup: WorkerSetup): OpenState {
  if (!setup.lock) return { reader: new StateReader(openForReading(files, setup.checkedBelow)) };
  makeDirectory(files.directory);
  const lock = StateLock.take(files);
  try {
    const writer = new StateWriter(openForWriting(files, setup.checkedBelow));
    return { writing: { lock, writer }, reader: new StateReader(openBeside(files)) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The reader goes first: only the last connection can empty the log and take its files away. */
function close({ reader, writing }: OpenState): void {
  reader.close();
  writing?.writer.close();
  writing?.lock.release();
}

function serve(state: OpenState, files: StateFiles, send: (reply: Reply) => void): (message: NumberedRequest) => void {
  let pages: Pages | undefined;

  const begin = (next: Pages): Page | null => {
    pages?.return();
    pages = next;
    return more();
  };
  const more = (): Page | null => pages?.next().value ?? null;

  const answer = (request: Request): Answers[keyof Answers] => {
    switch (request.kind) {
      case 'write': {
        const refused = writing().commit(request.calls.map((call) => JSON.parse(call) as readonly Change[]));
        return new Map([...refused].map(([index, error]): [number, Fault] => [index, writeFault(error, files)]));
      }
      case 'load':
        return begin(state.reader.state(request.endedAfter));
      case 'journal':
        return begin(state.reader.journal(request.query));
      case 'more':
        return more();
      case 'enough':
        pages?.return();
        return null;
      case 'prune':
        return writing().prune(request.before);
      case 'close':
        pages?.return();
        close(state);
        return null;
    }
  };
  const writing = (): StateWriter => {
    if (state.writing === undefined) throw new StoreFault('SP_STORE_REFUSED', { problem: 'it was opened to be read' });
    return state.writing.writer;
  };

  return ({ id, request }) => {
    try {
      send({ id, value: answer(request) });
    } catch (error) {
      send({ id, fault: toFault(error, files) });
    }
    if (request.kind === 'close') parentPort?.close();
    else state.writing?.writer.checkpoint();
  };
}

const setup = workerData as WorkerSetup;
const files = stateFiles(setup.directory);
const send = (reply: Reply): void => parentPort?.postMessage(reply);
try {
  const state = open(files, setup);
  parentPort?.on('message', serve(state, files, send));
  send({ id: OPENING, value: null });
} catch (error) {
  send({ id: OPENING, fault: toFault(error, files) });
}
