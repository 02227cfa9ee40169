import { Worker } from 'node:worker_threads';
import type { PhoneConfig } from '../config/config.js';
import type {
  Call,
  CallId,
  PhoneHandlers,
  PhoneHealth,
  PhoneLink,
  PhoneNumber,
  RingFailure,
  Sound,
} from '../core/phone/link.js';
import { toError } from './deadline.js';
import type { PhoneReport, PhoneRequest, PhoneSetup } from './thread-protocol.js';

/** Milliseconds in which the thread must have started; it takes 150. */
const START_DEADLINE = 10_000;
const END_DEADLINE = 2000;
/** Milliseconds between pings to the thread, and how many may stay unanswered. */
const PING_EVERY = 2000;
const MOST_UNANSWERED = 5;
/** Milliseconds until a thread that died is replaced: longer each time it dies again soon. */
const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
/** One that has lived for so long is not at fault for what it was like before. */
const LONG_LIFE = 60_000;
/** Megabytes of heap; it takes 30. A flood ends the thread, and nothing else. */
const MOST_HEAP = 160;

/**
 * The PBX, by way of a thread of its own: its libraries may throw, hang, eat memory or write to the console there, and the gate
 * goes on. A thread that dies or hangs is replaced.
 */
export class PhoneThread implements PhoneLink {
  readonly #setup: PhoneSetup;
  /** By call: the latest turn asked for. */
  readonly #calls = new Map<CallId, number>();
  readonly #rings = new Set<string>();
  #handlers: PhoneHandlers | undefined;
  #worker: Worker | undefined;
  #state: PhoneHealth['state'] = 'off';
  #detail: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #read = 0;
  #delay = FIRST_DELAY;
  #startedAt = 0;

  constructor({ driver, ari, ami }: Pick<PhoneConfig, 'driver' | 'ari' | 'ami'>) {
    this.#setup = driver === 'ari' ? { driver, ari } : { driver, ami };
  }

  async start(handlers: PhoneHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#state = 'connecting';
    this.#spawn();
  }

  play(call: CallId, turn: number, sounds: readonly Sound[]): void {
    if (!this.#calls.has(call)) return;
    this.#calls.set(call, turn);
    this.#ask({ kind: 'play', call, turn, sounds });
  }

  hangUp(call: CallId): void {
    this.#ask({ kind: 'hang-up', call });
  }

  ring(ring: string, number: PhoneNumber): void {
    if (this.#worker === undefined) {
      this.#handlers?.onRingFailed(ring, 'unreachable');
      return;
    }
    this.#rings.add(ring);
    this.#ask({ kind: 'ring', ring, number });
  }

  health(): PhoneHealth {
    return { state: this.#state, detail: this.#detail, calls: this.#calls.size };
  }

  /** Ends within two seconds. */
  async stop(): Promise<void> {
    this.#handlers = undefined;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#calls.clear();
    this.#rings.clear();
    this.#state = 'off';
    this.#detail = null;
    if (worker === undefined) return;
    const stopped = new Promise<void>((resolve) => {
      worker.on('message', (report: PhoneReport) => report.kind === 'stopped' && resolve());
      worker.once('exit', () => resolve());
      setTimeout(resolve, END_DEADLINE).unref();
    });
    worker.postMessage({ kind: 'stop' } satisfies PhoneRequest);
    await stopped;
    void worker.terminate().catch(() => undefined);
    worker.unref();
  }

  #spawn(): void {
    this.#unanswered = 0;
    this.#read = 0;
    this.#startedAt = performance.now();
    try {
      // Its environment is empty: the libraries would heed a proxy. Its console is not ours: they write to it.
      const worker = new Worker(new URL('./phone-worker.js', import.meta.url), {
        workerData: this.#setup,
        name: 'phone',
        execArgv: [],
        env: {},
        stdout: true,
        stderr: true,
        resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP },
      });
      this.#worker = worker;
      worker.stdout.resume();
      worker.stderr.resume();
      worker.on('message', (report: PhoneReport) => worker === this.#worker && this.#receive(report));
      worker.on('error', (error) => worker === this.#worker && this.#replace(toError(error).message));
      worker.on('exit', () => worker === this.#worker && this.#replace('it ended'));
      this.#watch(worker);
    } catch (error) {
      this.#replace(toError(error).message);
    }
  }

  /** A thread that does not answer is replaced. Pings are counted: the time that this thread was held up is not its fault. */
  #watch(worker: Worker): void {
    const starting = Math.ceil(START_DEADLINE / PING_EVERY);
    let most = starting;
    const ping = () => {
      if (worker !== this.#worker) return;
      if (this.#unanswered === 0) most = MOST_UNANSWERED;
      if (this.#unanswered++ >= most) return this.#replace('it does not answer');
      this.#ask({ kind: 'ping', read: this.#read });
      this.#read = 0;
      this.#timer = setTimeout(ping, PING_EVERY).unref();
    };
    this.#unanswered = 1;
    ping();
  }

  #receive(report: PhoneReport): void {
    this.#read++;
    switch (report.kind) {
      case 'call':
        this.#begin(report.call);
        break;
      case 'digit': {
        const turn = this.#calls.get(report.call);
        if (turn === undefined) break;
        // What was asked for while the digit was on its way is not played any more.
        if (turn > report.turn) this.#ask({ kind: 'stop-play', call: report.call, turn });
        this.#handlers?.onDigit(report.call, report.digit);
        break;
      }
      case 'played':
        if (this.#calls.has(report.call)) this.#handlers?.onPlayed(report.call, report.turn);
        break;
      case 'hung-up':
        this.#end(report.call);
        break;
      case 'ring-failed':
        this.#ringFailed(report.ring, report.why);
        break;
      case 'authorize':
        this.#handlers?.onAuthorize(report.authorization);
        break;
      case 'health':
        this.#state = report.state;
        this.#detail = report.detail;
        break;
      case 'pong':
        this.#unanswered = 0;
        break;
      case 'stopped':
        break;
    }
  }

  #begin(call: Call): void {
    if (call.ring !== null && !this.#rings.delete(call.ring)) {
      this.hangUp(call.id);
      return;
    }
    this.#calls.set(call.id, -1);
    this.#handlers?.onCall(call);
  }

  #end(call: CallId): void {
    if (this.#calls.delete(call)) this.#handlers?.onHangUp(call);
  }

  #ringFailed(ring: string, why: RingFailure): void {
    if (this.#rings.delete(ring)) this.#handlers?.onRingFailed(ring, why);
  }

  #ask(request: PhoneRequest): void {
    this.#worker?.postMessage(request);
  }

  #replace(problem: string): void {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate().catch(() => undefined);
    this.#state = 'failed';
    this.#detail = `the thread that speaks to Asterisk has died (${problem}) and is started again`;
    this.#delay =
      performance.now() - this.#startedAt > LONG_LIFE ? FIRST_DELAY : Math.min(this.#delay * 2, LONGEST_DELAY);
    this.#timer = setTimeout(() => this.#spawn(), this.#delay).unref();
    for (const call of [...this.#calls.keys()]) this.#end(call);
    for (const ring of [...this.#rings]) this.#ringFailed(ring, 'unreachable');
  }
}
