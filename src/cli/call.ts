import type { ControlClient } from './client.js';
import type { Io } from './io.js';
import type { OfflineCommands } from './offline.js';
import { Terminal } from './render/terminal.js';

export interface CallParts {
  readonly io: Io;
  readonly offline: OfflineCommands;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly config: string | undefined;
  readonly json: boolean;
}

/** One run of one command: its words, and what it needs to do its work. */
export class Call {
  readonly io: Io;
  readonly offline: OfflineCommands;
  readonly args: readonly string[];
  readonly config: string | undefined;
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly #options: Readonly<Record<string, unknown>>;

  constructor({ io, offline, args, options, config, json }: CallParts) {
    this.io = io;
    this.offline = offline;
    this.args = args;
    this.config = config;
    this.json = json;
    this.terminal = new Terminal(io.stdout, io.env);
    this.#options = options;
  }

  /** The first argument; commander has seen to it that it is there. */
  get subject(): string {
    return this.args[0] ?? '';
  }

  /** The configuration where one was named, ready to be spread. */
  get configured(): { config?: string } {
    return this.config === undefined ? {} : { config: this.config };
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }

  /** The options of these names that were given, ready to be spread; the types are those that the spec's parsers return. */
  given<Options extends object>(...names: readonly (keyof Options & string)[]): Partial<Options> {
    const found: Record<string, unknown> = {};
    for (const name of names) if (this.#options[name] !== undefined) found[name] = this.#options[name];
    return found as Partial<Options>;
  }

  /** What says whom a change must not shut out: nobody with --force, else whoever is at the other end of this session. */
  async forceOrPeers(): Promise<{ force?: true; peers?: string[] }> {
    return this.flag('force') ? { force: true } : await this.peers();
  }

  /** Who is at the other end of the SSH session that this runs in, where it does; ready to be spread. */
  async peers(): Promise<{ peers?: string[] }> {
    const peers = await this.offline.ownPeers();
    return peers.length === 0 ? {} : { peers: [...peers] };
  }

  /** A client of the daemon that the configuration names. Connects on its first request. */
  async client(): Promise<ControlClient> {
    const [{ ControlClient }, socket] = await Promise.all([
      import('./client.js'),
      this.offline.controlSocket(this.config),
    ]);
    return new ControlClient(socket);
  }

  /** Prints lines for a person. */
  print(text: string): void {
    this.io.stdout.write(`${text}\n`);
  }

  /** Prints a line that is not the answer, on stderr. */
  warn(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }
}
