import type { GrantLedger } from '../core/grants/ledger.js';
import type { Change } from '../core/store.js';
import { type Clock, formatDuration, millis } from '../core/time.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Log } from './log.js';
import { newPace } from './pace.js';
import type { Recorder } from './recorder.js';

const BEAT_MS = 60_000;
const CLOCK_CHECK_MS = 1000;
/** A wall clock that moves by more than this against the monotonic one was set. */
const STEP = millis(2000);
const PIECE = 500;

/**
 * Records regularly that the daemon runs, so that a wrong clock at the next boot cannot lengthen a grant; and notices when
 * the wall clock is set, so that the recorded expiries stay true. Deadlines themselves never hang on the wall clock.
 */
export class Heartbeat {
  readonly #o: {
    recorder: Recorder;
    clock: Clock;
    ledger: GrantLedger;
    doorkeeper: Doorkeeper;
    log: Log;
    boot: string;
  };
  #timers: NodeJS.Timeout[] = [];
  #offset = 0;

  /** @param options.boot the kernel's boot id */
  constructor(options: {
    recorder: Recorder;
    clock: Clock;
    ledger: GrantLedger;
    doorkeeper: Doorkeeper;
    log: Log;
    boot: string;
  }) {
    this.#o = options;
  }

  async start(): Promise<void> {
    this.#offset = this.#currentOffset();
    const boot = { kind: 'meta', key: 'boot_id', value: this.#o.boot } as const;
    await this.#o.recorder.record([boot, this.#alive()]).catch(() => undefined);
    this.#timers = [
      setInterval(() => void this.#o.recorder.record([this.#alive()]), BEAT_MS).unref(),
      setInterval(() => this.#checkClock(), CLOCK_CHECK_MS).unref(),
    ];
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#o.recorder.record([this.#alive()]).catch(() => undefined);
  }

  #alive() {
    return { kind: 'meta', key: 'last_alive', value: String(Math.floor(this.#o.clock.now())) } as const;
  }

  #currentOffset(): number {
    return this.#o.clock.now() - this.#o.clock.monotonic();
  }

  #checkClock(): void {
    const { clock, recorder, log } = this.#o;
    const step = this.#currentOffset() - this.#offset;
    if (Math.abs(step) < STEP) return;
    this.#offset += step;
    const detail = `${step > 0 ? 'forward' : 'back'} by ${formatDuration(millis(Math.abs(step)))}; the grants keep the time they had left`;
    log.warn({}, `the wall clock was set ${detail}`);
    void recorder.record([
      this.#alive(),
      { kind: 'journal', event: { at: clock.now(), event: 'clock.stepped', detail } },
    ]);
    void this.#recordAll();
  }

  /** One that ends while others are recorded is left out: its end is recorded already, and stands. */
  async #recordAll(): Promise<void> {
    const { clock, recorder, ledger, doorkeeper } = this.#o;
    const pace = newPace(clock);
    let piece: Change[] = [];
    const record = () => {
      if (piece.length > 0) void recorder.record(piece);
      piece = [];
    };
    for (const grant of ledger.all()) {
      piece.push(doorkeeper.putChange(grant));
      if (piece.length >= PIECE) record();
      if (!pace.isDue) continue;
      record();
      await pace.rest();
    }
    record();
  }
}
