/** The gateway as a process of its own in a machine of a wire, with a state, a configuration and a socket of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { at } from './checkout.mjs';
import { exitCode } from './namespaces.mjs';

const MAIN = at('dist', 'main.js');
const START_BOUND_MS = 60_000;
const API_BOUND_MS = 60_000;

export class GatewayProcess {
  #machine;
  #configFile;
  #own;
  #socket;
  #child;
  #ended;
  #log = '';
  #main;
  #onLine;

  /**
   * @param {import('./namespaces.mjs').Machine} machine
   * @param {string} directory for the state, the configuration and the socket
   * @param {string} config YAML of the sections beside `version`, `control` and `state`
   * @param {{main?: string, onLine?: (line: string) => void}} [options] `main`: the program, of another build; `onLine`: is
   *   handed what it logs, which is then not kept
   */
  constructor(machine, directory, config, { main = MAIN, onLine } = {}) {
    this.#machine = machine;
    this.#main = main;
    this.#onLine = onLine;
    this.#configFile = join(directory, 'sallyport.yaml');
    this.#socket = join(directory, 'control.sock');
    mkdirSync(directory, { recursive: true });
    this.#own = `control: {socket: ${this.#socket}}\nstate: {directory: ${join(directory, 'state')}}\n`;
    this.configure(config);
  }

  /** Writes the configuration anew, as it is given to the constructor; who runs already reads it when told to. */
  configure(config) {
    writeFileSync(this.#configFile, `version: 1\n${config}\n${this.#own}`);
  }

  /** What it logged so far, over all starts. */
  get log() {
    return this.#log;
  }

  /** The process that runs, or ran last. */
  get pid() {
    return this.#child.pid;
  }

  get socket() {
    return this.#socket;
  }

  /**
   * Starts it and resolves when knocks are answered.
   * @param {string[]} [nodeOptions] options of Node itself
   * @param {Record<string, string>} [env] added to its environment
   */
  async start(nodeOptions = [], env = {}) {
    const args = [...nodeOptions, this.#main, 'serve', '--config', this.#configFile];
    const child = this.#machine.spawn(process.execPath, args, { env });
    this.#child = child;
    this.#ended = exitCode(child);
    const from = this.#log.length;
    let bound;
    let isReady = false;
    const ready = new Promise((resolve, reject) => {
      const fail = (how) => reject(new Error(`the gateway ${how}:\n${this.#log.slice(from)}`));
      bound = setTimeout(() => fail('was not ready in time'), START_BOUND_MS);
      for (const stream of [child.stdout, child.stderr]) {
        if (this.#onLine !== undefined) {
          createInterface({ input: stream }).on('line', (line) => {
            if (line.includes('"msg":"ready"')) resolve();
            this.#onLine(line);
          });
          continue;
        }
        stream.setEncoding('utf8').on('data', (piece) => {
          this.#log += piece;
          // The log of a busy gateway is long: it is searched no further than needed.
          if (isReady || !this.#log.includes('"msg":"ready"', from)) return;
          isReady = true;
          resolve();
        });
      }
      this.#ended.then(() => fail('ended'), reject);
    });
    await ready.finally(() => clearTimeout(bound));
  }

  /** Ends it by a signal and waits for that. */
  async end(signal = 'SIGTERM') {
    this.#child?.kill(signal);
    await this.#ended;
  }

  /** Runs a command of the operator's CLI. @returns {Promise<{code: number, stdout: string, stderr: string}>} */
  cli(...args) {
    return this.#machine.run(process.execPath, [this.#main, ...args, '--config', this.#configFile]);
  }

  /** Runs a command with `--json` and reads its answer; throws where it fails. */
  async json(...args) {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** The control API, much quicker than the CLI; throws where it refuses. */
  api(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const call = request(
        { socketPath: this.#socket, method, path, headers, timeout: API_BOUND_MS },
        async (answer) => {
          let text = '';
          for await (const piece of answer.setEncoding('utf8')) text += piece;
          if (answer.statusCode < 300) resolve(text === '' ? null : JSON.parse(text));
          else reject(new Error(`${method} ${path}: ${text}`));
        },
      );
      call.on('error', reject).on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer`)));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
