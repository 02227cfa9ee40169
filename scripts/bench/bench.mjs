/**
 * Runs scenarios one after the other, each in a process of its own: what one leaves in memory or dies of is not the next
 * one's. A process that gets a signal takes its namespaces with it (Wire), and so does one that fails.
 */
import { fork } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkMeasured } from './goals.mjs';

const CHILD = fileURLToPath(new URL('./scenario-process.mjs', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** A scenario that takes this many times what it says hangs. */
const PATIENCE = 4;
const LEAST_BOUND_MS = 120_000;
const KILL_AFTER_MS = 10_000;

export class Bench {
  #scenarios;
  #peers;
  #asterisk;
  #quick;
  #child;
  #signal;

  /** @param {{scenarios: import('./scenarios.mjs').Scenario[], peers: object, asterisk?: object, quick: boolean}} options */
  constructor({ scenarios, peers, asterisk, quick }) {
    this.#scenarios = scenarios;
    this.#peers = peers;
    this.#asterisk = asterisk;
    this.#quick = quick;
  }

  /** Runs all of them; one that fails is part of the result. A signal ends the one that runs, and then this process. */
  async run() {
    const onSignal = (signal) => {
      this.#signal = signal;
      this.#child?.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    const scenarios = [];
    for (const [index, scenario] of this.#scenarios.entries()) {
      process.stderr.write(`[${index + 1}/${this.#scenarios.length}] ${scenario.title}${this.#expected(scenario)}\n`);
      const begun = Date.now();
      const outcome = await this.#one(scenario);
      if (this.#signal !== undefined) break;
      if (outcome.failed !== undefined) process.stderr.write(`FAILED: ${outcome.failed}\n`);
      const { id, title } = scenario;
      scenarios.push({ id, title, at: new Date(begun).toISOString(), seconds: seconds(begun), ...outcome });
    }
    for (const signal of SIGNALS) process.off(signal, onSignal);
    if (this.#signal !== undefined) await endBy(this.#signal);
    return { at: new Date().toISOString(), quick: this.#quick, host: host(), scenarios };
  }

  #expected({ minutes }) {
    return this.#quick ? '' : ` (about ${minutes} min)`;
  }

  /** @returns {Promise<import('./scenarios.mjs').Measured | {failed: string}>} */
  #one(scenario) {
    return new Promise((resolve) => {
      // Its standard output is ours only where it prints by mistake; the report must stay readable.
      const stdio = ['ignore', 2, 2, 'ipc'];
      const child = fork(CHILD, { stdio });
      this.#child = child;
      let outcome;
      const bound = setTimeout(
        () => {
          outcome = { failed: `it did not end within ${PATIENCE} times its ${scenario.minutes} minutes` };
          child.kill('SIGTERM');
          setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
        },
        Math.max(LEAST_BOUND_MS, PATIENCE * scenario.minutes * 60_000),
      );
      child.on('message', (message) => {
        outcome ??= message;
      });
      child.once('error', (error) => {
        outcome ??= { failed: error.message };
      });
      child.once('close', (code, signal) => {
        clearTimeout(bound);
        this.#child = undefined;
        resolve(judged(outcome) ?? { failed: `its process ended with ${signal ?? `status ${code}`}; see above` });
      });
      child.send({ id: scenario.id, quick: this.#quick, peers: this.#peers, asterisk: this.#asterisk });
    });
  }
}

/** What a scenario gave, or that it gave something else than it should. */
function judged(outcome) {
  if (outcome === undefined || outcome.failed !== undefined) return outcome;
  const fault = checkMeasured(outcome.measured);
  return fault === undefined ? outcome.measured : { failed: fault };
}

/** Figures mean nothing without it; no name and no path is in it. */
export function host() {
  const processors = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  const cpu = processors[0]?.model.trim() ?? 'unknown';
  return { cpus: processors.length, cpu, memory, kernel: release().replace(/-.*/, ''), node: process.version };
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1000);
}

/** Ends this process as the signal would have. */
async function endBy(signal) {
  process.kill(process.pid, signal);
  await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS));
}
