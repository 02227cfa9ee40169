import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LabHost, Ran } from './host.js';

/** A long run brings its own copy of the build, so that a new one meanwhile does not disturb it. */
export const LAB_MAIN = process.env.LAB_MAIN ?? fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const START_BOUND_MS = 30_000;

export interface DaemonOptions {
  /** YAML of the sections beside `version`, `control` and `state`; services ssh, sip and web unless it has its own. */
  readonly config?: string;
  /** A name for the state and socket, for more than one daemon. */
  readonly name?: string;
  readonly env?: Record<string, string>;
  /** A program that runs the daemon in its turn, such as `unshare`; it must become the daemon (exec) for `pid` to hold. */
  readonly wrap?: readonly string[];
}

const SERVICES = 'services:\n  ssh: [tcp/22]\n  sip: [udp/5060, tcp/5061, udp/10000-20000]\n  web: [tcp/80, tcp/443]\n';

/** A daemon of the built program inside the gateway's namespace, with state and socket of its own. */
export class LabDaemon {
  readonly #host: LabHost;
  readonly #options: DaemonOptions;
  readonly directory: string;
  readonly configFile: string;
  readonly stateDirectory: string;
  readonly socket: string;
  #child: ChildProcess | undefined;
  #output = '';
  /** Of the last start. */
  #stderr = '';

  constructor(host: LabHost, directory: string, options: DaemonOptions) {
    const name = options.name ?? 'main';
    this.#host = host;
    this.#options = options;
    this.directory = join(directory, name);
    this.configFile = join(this.directory, 'sallyport.yaml');
    this.stateDirectory = join(this.directory, 'state');
    this.socket = join(this.directory, 'control.sock');
  }

  /** Everything it wrote so far, over all starts. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the daemon does not run');
    return pid;
  }

  async writeConfig(config = this.#options.config ?? ''): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const services = /^services:/m.test(config) ? '' : SERVICES;
    const own = `control: {socket: ${this.socket}}\nstate: {directory: ${this.stateDirectory}}\n`;
    await writeFile(this.configFile, `version: 1\n${services}${own}${config}\n`);
  }

  /** Gives a configuration that init wrote a socket of the lab's own. */
  async useSocket(): Promise<void> {
    const text = await readFile(this.configFile, 'utf8');
    await writeFile(this.configFile, text.replace(/socket: .*/, `socket: ${this.socket}`));
  }

  /** Starts it; resolves when it is ready, rejects with its output where it ends before. */
  async start(): Promise<void> {
    await this.writeConfig();
    await this.launch();
  }

  /** Starts it with the configuration that is there. */
  async launch(): Promise<void> {
    const { child, ready } = this.#spawn();
    this.#child = child;
    await ready;
  }

  /** Starts it where it is expected to refuse: resolves with its exit status and output. */
  async refusesToStart(): Promise<Ran> {
    const before = this.#output.length;
    const { child, ready } = this.#spawn();
    this.#child = child;
    const started = await ready.then(
      () => true,
      () => false,
    );
    if (started) {
      await this.kill('SIGKILL');
      throw new Error('it started');
    }
    return { code: child.exitCode ?? -1, stdout: this.#output.slice(before), stderr: this.#stderr };
  }

  /** Ends it and waits for that; the exit status, or null after a signal that it did not handle. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    child.kill(signal);
    return await ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Runs a command of the operator's CLI, in the same surroundings as the daemon. */
  cli(...args: readonly string[]): Promise<Ran> {
    const [file = '', ...rest] = [...(this.#options.wrap ?? []), process.execPath, LAB_MAIN, ...args];
    return this.#host.exec(file, [...rest, '--config', this.configFile], { env: this.#options.env ?? {} });
  }

  /** Runs a command with `--json` and reads its answer; throws where it fails. */
  async json<T = Record<string, never>>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** The control API, much quicker than the CLI. */
  async api<T = unknown>(method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
    const { request } = await import('node:http');
    return await new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const call = request({ socketPath: this.socket, method, path, headers, timeout: 10_000 }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: (text === '' ? null : JSON.parse(text)) as T }),
        );
      });
      call.on('error', reject).on('timeout', () => call.destroy(new Error('no answer')));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async grants(): Promise<GrantJson[]> {
    return (await this.api<{ grants: GrantJson[] }>('GET', '/v1/status')).body.grants;
  }

  async events(): Promise<EventJson[]> {
    return (await this.api<EventJson[]>('GET', '/v1/journal')).body;
  }

  /** The events of one kind, oldest first. */
  async eventsNamed(name: string): Promise<EventJson[]> {
    return (await this.events()).filter(({ event }) => event === name);
  }

  /** The grant of an address, which must have one. */
  async grantFor(address: string): Promise<GrantJson> {
    const grant = (await this.grants()).find((one) => one.address === address);
    if (grant === undefined) throw new Error(`there is no grant for ${address}`);
    return grant;
  }

  async addUser(
    name: string,
    options: { knock?: string; services?: string[]; ttl?: string; [key: string]: unknown } = {},
  ): Promise<UserJson> {
    const { status, body } = await this.api<UserJson>('POST', '/v1/users', { name, ...options });
    if (status >= 300) throw new Error(`adding ${name}: ${JSON.stringify(body)}`);
    return body;
  }

  async confirm(): Promise<void> {
    const { status, body } = await this.api('POST', '/v1/firewall/confirm');
    if (status >= 300) throw new Error(`confirming: ${JSON.stringify(body)}`);
  }

  /** Stops reading what it writes, as a stuck terminal or log collector would; `true` goes on. */
  readOutput(isReading: boolean): void {
    if (isReading) this.#child?.stdout?.resume();
    else this.#child?.stdout?.pause();
  }

  #spawn(): { child: ChildProcess; ready: Promise<void> } {
    const command = [...(this.#options.wrap ?? []), process.execPath, LAB_MAIN, 'serve', '--config', this.configFile];
    const args = ['netns', 'exec', this.#host.namespace, ...command];
    const env = { ...process.env, ...this.#options.env };
    const child = spawn('ip', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const from = this.#output.length;
    this.#stderr = '';
    const ready = new Promise<void>((resolve, reject) => {
      const bound = setTimeout(
        () => reject(new Error(`not ready in time: ${this.#output.slice(from)}`)),
        START_BOUND_MS,
      );
      let isReady = false;
      const read = (text: Buffer) => {
        this.#output += text.toString();
        if (isReady || !this.#output.slice(from).includes('"msg":"ready"')) return;
        isReady = true;
        clearTimeout(bound);
        resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read).on('data', (text: Buffer) => {
        this.#stderr += text.toString();
      });
      child.once('close', () => {
        clearTimeout(bound);
        reject(new Error(`it ended: ${this.#output.slice(from)}`));
      });
    });
    ready.catch(() => undefined);
    return { child, ready };
  }
}

export interface GrantJson {
  readonly id: string;
  readonly address: string;
  readonly user: string | null;
  readonly services: string[];
  readonly method: string;
  readonly opened_at: string;
  readonly expires_at: string;
  readonly remaining_s: number;
  readonly ttl_s: number;
}

export interface EventJson {
  readonly seq: number;
  readonly at: string;
  readonly event: string;
  readonly user: string | null;
  readonly address: string | null;
  readonly method: string | null;
  readonly grant: string | null;
  readonly detail: string | null;
}

export interface UserJson {
  readonly name: string;
  readonly sequence: { protocol: 'tcp' | 'udp'; port: number }[];
}
