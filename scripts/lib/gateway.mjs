/** The gateway as a process of its own in a machine of a wire, with state, configuration and socket of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { at } from './checkout.mjs';
import { exitCode } from './namespaces.mjs';

const MAIN = at('dist', 'main.js');
const START_BOUND_MS = 20_000;
const API_BOUND_MS = 10_000;

export class GatewayProcess {
  machine;
  configFile;
  #socket;
  #child;
  #ended;
  #log = '';

  /**
   * @param {import('./namespaces.mjs').Machine} machine
   * @param {string} directory for state, configuration and socket
   * @param {string} config YAML of the sections beside `version`, `control` and `state`
   */
  constructor(machine, directory, config) {
    this.machine = machine;
    this.configFile = join(directory, 'sallyport.yaml');
    this.#socket = join(directory, 'control.sock');
    mkdirSync(directory, { recursive: true });
    const own = `control: {socket: ${this.#socket}}\nstate: {directory: ${join(directory, 'state')}}\n`;
    writeFileSync(this.configFile, `version: 1\n${config}${own}`);
  }

  /** What it logged so far, over all starts. */
  get log() {
    return this.#log;
  }

  get pid() {
    return this.#child.pid;
  }

  /** Starts it and resolves when knocks are answered. @param {Record<string, string>} [env] */
  async start(env = {}) {
    const args = [MAIN, 'serve', '--config', this.configFile];
    const child = this.machine.spawn(process.execPath, args, { env });
    this.#child = child;
    this.#ended = exitCode(child);
    const from = this.#log.length;
    await new Promise((resolve, reject) => {
      const fail = (how) => reject(new Error(`the gateway ${how}:\n${this.#log.slice(from)}`));
      const bound = setTimeout(() => fail('was not ready in time'), START_BOUND_MS);
      const read = (piece) => {
        this.#log += piece;
        if (this.#log.includes('"msg":"ready"', from)) resolve();
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      this.#ended.then(() => fail('ended'), reject).finally(() => clearTimeout(bound));
      child.once('close', () => clearTimeout(bound));
      this.#readyBound = bound;
    }).finally(() => clearTimeout(this.#readyBound));
  }
}
