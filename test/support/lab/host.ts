import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('./agent.mjs', import.meta.url));
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KnockStep {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** Runs a program to its end; never rejects because of its exit status. */
export function run(
  file: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; timeout?: number } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH, NO_COLOR: '1', ...options.env };
    const child = execFile(
      file,
      [...args],
      { env, timeout: options.timeout ?? 30_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number' && error.signal === undefined) reject(error);
        else resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 124, stdout, stderr });
      },
    );
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

export async function mustRun(
  file: string,
  args: readonly string[],
  options: { input?: string } = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

/** A machine of the lab: a network namespace with an agent in it. */
export class LabHost {
  readonly namespace: string;
  readonly ipv4: string;
  readonly ipv6: string;
  #agent: ChildProcessWithoutNullStreams | undefined;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;

  constructor(namespace: string, ipv4: string, ipv6: string) {
    this.namespace = namespace;
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  start(): void {
    const agent = spawn('ip', ['netns', 'exec', this.namespace, process.execPath, AGENT], {
      env: { ...process.env, PATH },
    });
    this.#agent = agent;
    agent.stderr.on('data', (text: Buffer) => process.stderr.write(`${this.namespace}: ${text}`));
    agent.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the agent of ${this.namespace} ended`));
      this.#waiting.clear();
    });
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${this.namespace}: ${error}`));
    });
  }

  async stop(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null) return;
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.stdin.end();
    agent.kill();
    await ended;
  }

  /** Runs a program inside the namespace. */
  exec(
    file: string,
    args: readonly string[],
    options: { input?: string; env?: Record<string, string>; timeout?: number } = {},
  ): Promise<Ran> {
    return run('ip', ['netns', 'exec', this.namespace, file, ...args], options);
  }

  /** Adds another address to the interface. */
  async addAddress(cidr: string): Promise<void> {
    const nodad = cidr.includes(':') ? ['nodad'] : [];
    await mustRun('ip', ['-n', this.namespace, 'address', 'add', cidr, 'dev', 'eth0', ...nodad]);
  }

  tell<T = unknown>(command: string, options: object = {}): Promise<T> {
    const agent = this.#agent;
    if (agent === undefined) throw new Error(`the agent of ${this.namespace} does not run`);
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      agent.stdin.write(`${JSON.stringify({ id, command, ...options })}\n`);
    });
  }

  tcp(
    address: string,
    port: number,
    options: { timeout?: number; source?: string; sourcePort?: number } = {},
  ): Promise<string> {
    return this.tell('tcp', { address, port, ...options });
  }

  udp(
    address: string,
    port: number,
    options: { timeout?: number; source?: string; sourcePort?: number } = {},
  ): Promise<string> {
    return this.tell('udp', { address, port, ...options });
  }

  async knock(
    address: string,
    knocks: readonly KnockStep[],
    options: { pause?: number; source?: string; payload?: string | readonly number[] } = {},
  ): Promise<void> {
    await this.tell('knock', { address, knocks, ...options });
  }

  /** The first packet of each stream, then the second of each, and so on, with a pause after each round. */
  async streams(
    address: string,
    streams: readonly { source: string; knocks: readonly KnockStep[] }[],
    options: { copies?: number; pause?: number } = {},
  ): Promise<void> {
    await this.tell('streams', { address, streams, ...options });
  }

  /** Puts IP packets (packets.ts) on the wire, all of them `times` over, addressed to the card of another machine. */
  async raw(to: LabHost, packets: readonly string[], times = 1): Promise<void> {
    const link = await mustRun('ip', ['-j', '-n', to.namespace, 'link', 'show', 'eth0']);
    const [{ address: mac }] = JSON.parse(link) as [{ address: string }];
    const sent = await this.tell<number>('raw', { packets, mac, times });
    if (sent !== packets.length * times) throw new Error(`${sent} of ${packets.length * times} packets left`);
  }

  /** How many packets have come to the card so far. */
  async received(): Promise<number> {
    const { stdout } = await this.exec('cat', ['/sys/class/net/eth0/statistics/rx_packets']);
    return Number(stdout);
  }

  /** Loads rules for nft in this namespace. */
  async nft(rules: string): Promise<void> {
    await mustRun('ip', ['netns', 'exec', this.namespace, 'nft', '-f', '-'], { input: rules });
  }

  /** Opens a flow that is kept. */
  async hold(
    protocol: 'tcp' | 'udp',
    address: string,
    port: number,
    options: { source?: string; sourcePort?: number } = {},
  ): Promise<Flow> {
    const { handle, port: localPort } = await this.tell<{ handle: number; port: number }>('hold', {
      protocol,
      address,
      port,
      ...options,
    });
    return {
      localPort,
      ping: (timeout = 500, bytes = 0) => this.tell<boolean>('ping', { handle, timeout, bytes }),
      pour: () => this.tell<void>('pour', { handle }),
      poured: () => this.tell<{ sent: number; back: number }>('poured', { handle }),
      received: () => this.tell<number>('received', { handle }),
      pulse: (options = {}) => this.tell<number>('pulse', { handle, ...options }),
      release: () => this.tell<void>('release', { handle }),
    };
  }
}

export interface Flow {
  readonly localPort: number;
  /** Sends, and tells whether an answer came in time; over TCP, whether all of so many bytes came back. */
  ping(timeout?: number, bytes?: number): Promise<boolean>;
  /** UDP: sends 200 datagrams a second, until `poured`. */
  pour(): Promise<void>;
  /** Ends that, and tells how many were sent and how many came back. */
  poured(): Promise<{ sent: number; back: number }>;
  /** How much came so far. */
  received(): Promise<number>;
  /**
   * Sends every `every` milliseconds (20; 0 for listening only) until nothing has come for `quiet` milliseconds (1200) or
   * `limit` is over (20,000). When the last answer came, in milliseconds of the wall clock; 0 for never.
   */
  pulse(options?: { every?: number; quiet?: number; limit?: number }): Promise<number>;
  release(): Promise<void>;
}
