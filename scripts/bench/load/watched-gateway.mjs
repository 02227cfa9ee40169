/** A gateway whose event loop is watched and whose state may be filled before it starts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../../lib/checkout.mjs';
import { GatewayProcess } from '../../lib/gateway.mjs';
import { monotonic } from './machines.mjs';

const WATCH = new URL('./loop-watch.mjs', import.meta.url).href;

export class WatchedGateway extends GatewayProcess {
  /** Where its records are; see seed.mjs. */
  stateDirectory;
  #watchFile;

  constructor(machine, directory, config) {
    super(machine, directory, config);
    this.stateDirectory = join(directory, 'state');
    this.#watchFile = join(directory, 'loop');
  }

  /** @returns {Promise<number>} milliseconds from the start of the process until it was ready */
  async start() {
    const from = monotonic();
    await super.start(['--import', WATCH], { SALLYPORT_LOOP_WATCH: this.#watchFile });
    return monotonic() - from;
  }

  /**
   * The longest time that its event loop was held between two moments of the monotonic clock, in milliseconds: as seen
   * from outside, and without what its thread waited for a processor.
   */
  longestHold(from, to = monotonic()) {
    const lines = readFileSync(this.#watchFile, 'utf8').split('\n').slice(0, -1);
    const seen = lines.map((line) => line.split(' ').map(Number)).filter(([when]) => when > from && when <= to);
    return {
      all: Math.max(0, ...seen.map(([, all]) => all)),
      own: Math.max(0, ...seen.map(([, , own]) => own)),
    };
  }
}

/** Modules of the built product. */
export function product(path) {
  return import(at('dist', path));
}
