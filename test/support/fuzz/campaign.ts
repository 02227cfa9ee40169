import { randomInt } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Dice } from './dice.ts';

/*
 * Very many random cases of one promise. The environment sets them:
 *
 *   SALLYPORT_FUZZ_TIMES   so many times the cases (1; the soak takes 10)
 *   SALLYPORT_FUZZ_SEED    the seed of a run that failed, which is told with the failure (random)
 *   SALLYPORT_FUZZ_REPORT  a file to which each campaign adds a line of JSON: what was tried, and how long it took
 */
const TIMES = Number(process.env.SALLYPORT_FUZZ_TIMES ?? 1);
export const SEED = Number(process.env.SALLYPORT_FUZZ_SEED ?? randomInt(2 ** 31));

/** Milliseconds after which others have a turn. */
const SLICE = 50;
/** A case that takes so many seconds hangs: the process is then ended, and stderr says which case it was. */
const HANGS_AFTER = 30;

const clock = performance.now.bind(performance);

export interface Campaign {
  readonly count: number;
  readonly seconds: number;
  /** The longest single case. */
  readonly longestMs: number;
}

/** How many cases a campaign has in this run. */
export const casesOf = (count: number): number => Math.round(count * TIMES);

/** Milliseconds that a test of so many cases may take: far more than it does, for the hang has a bound of its own. */
export const boundOf = (count: number): number => 60_000 + casesOf(count);

/**
 * Runs cases, each with dice of its own, so that one can be repeated alone. What a case throws is told with the seed and
 * the number of the case.
 */
export async function campaign(
  title: string,
  count: number,
  run: (dice: Dice, n: number) => void | Promise<void>,
): Promise<Campaign> {
  const cases = casesOf(count);
  const watchdog = new Watchdog(title);
  const startedAt = clock();
  let longest = 0;
  let sliceAt = startedAt;
  let before = startedAt;
  try {
    for (let n = 0; n < cases; n++) {
      watchdog.begin(n);
      const pending = run(new Dice(seedOf(n)), n);
      if (pending !== undefined) await pending;
      const now = clock();
      longest = Math.max(longest, now - before);
      before = now;
      if (now - sliceAt < SLICE) continue;
      await setImmediate();
      before = clock();
      sliceAt = before;
    }
  } catch (error) {
    throw new Error(`case ${watchdog.current} of "${title}", SALLYPORT_FUZZ_SEED=${SEED}`, { cause: error });
  } finally {
    await watchdog.end();
  }
  return report(title, cases, (clock() - startedAt) / 1000, longest);
}

/** Adds a line to the report, where one is asked for. */
export function report(title: string, count: number, seconds: number, longestMs = 0): Campaign {
  const file = process.env.SALLYPORT_FUZZ_REPORT;
  const line = {
    title,
    count,
    seconds: Number(seconds.toFixed(2)),
    longestMs: Number(longestMs.toFixed(1)),
    seed: SEED,
  };
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
  return { count, seconds, longestMs };
}

function seedOf(n: number): number {
  return Math.imul(SEED ^ (n * 0x9e37_79b1), 0x85eb_ca6b) ^ (n >>> 15);
}

/** Ends the process when a case does: nothing else can, as it never comes back to the event loop. */
class Watchdog {
  readonly #beat = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;

  constructor(title: string) {
    const text = `"${title}" hangs; SALLYPORT_FUZZ_SEED=${SEED}, case `;
    this.#worker = new Worker(
      `const { workerData: { beat, text, pid, seconds } } = require('node:worker_threads');
      let last = -1;
      setInterval(() => {
        const now = Atomics.load(beat, 0);
        if (now === last) {
          require('node:fs').writeSync(2, text + now + '\\n');
          process.kill(pid, 'SIGKILL');
        }
        last = now;
      }, seconds * 1000).unref();
      require('node:worker_threads').parentPort.on('message', () => process.exit());`,
      { eval: true, workerData: { beat: this.#beat, text, pid: process.pid, seconds: HANGS_AFTER } },
    );
  }

  get current(): number {
    return Atomics.load(this.#beat, 0);
  }

  begin(n: number): void {
    Atomics.store(this.#beat, 0, n);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
