/**
 * Machines that are network namespaces of this host, for showing and measuring on real packets. They see each other and
 * nothing else. Whatever way the process ends, short of SIGKILL, they are gone afterwards with all that ran in them.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { at } from './checkout.mjs';

const AGENT = at('test', 'support', 'lab', 'agent.mjs');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const RUN_BOUND_MS = 60_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The environment without what belongs to the session around us: a service manager, a configuration. */
function ownEnvironment(more) {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, SALLYPORT_CONFIG, ...env } = process.env;
  return { ...env, PATH, ...more };
}

/** Some machines on one wire, each with one interface `eth0` and a directory for what they keep. */
export class Wire {
  /** For files; removed with the machines. */
  directory;
  #machines = [];
  #namespaces = [];
  #atExit = () => this.remove();
  #onSignal = (signal) => process.exit(128 + constants.signals[signal]);

  /**
   * Makes machines 1, 2, ... of 10.77.0.0/24. Two are joined directly, more by a bridge in a namespace of its own.
   * Root only.
   * @param {string} prefix of the namespaces' names
   * @param {string[]} roles
   */
  static create(prefix, roles) {
    const wire = new Wire();
    process.on('exit', wire.#atExit);
    for (const signal of SIGNALS) process.on(signal, wire.#onSignal);
    try {
      wire.#build(`${prefix}${randomBytes(3).toString('hex')}`, roles);
    } catch (error) {
      wire.remove();
      throw error;
    }
    return wire;
  }

  /** @returns {Machine[]} in the order of the roles */
  get machines() {
    return this.#machines;
  }

  /** Ends what runs in the machines, and takes them away. Synchronous, so that an exit can do it. */
  remove() {
    for (const machine of this.#machines) machine.endAll();
    for (const namespace of this.#namespaces) spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
    if (this.directory !== undefined) rmSync(this.directory, { recursive: true, force: true });
    this.#machines = [];
    this.#namespaces = [];
    this.directory = undefined;
    // Only now: a second signal meanwhile must not end us half way.
    process.off('exit', this.#atExit);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #build(name, roles) {
    this.directory = mkdtempSync(join(tmpdir(), `${name}-`));
    for (const [index, role] of roles.entries()) {
      const namespace = this.#addNamespace(`${name}-${role}`);
      this.#machines.push(new Machine({ role, namespace, address: `10.77.0.${index + 1}` }));
    }
    const namespaces = this.#machines.map(({ namespace }) => namespace);
    if (namespaces.length === 2) {
      ip('-n', namespaces[0], 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespaces[1]);
    } else {
      const bridge = this.#addNamespace(`${name}-wire`);
      ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge');
      ip('-n', bridge, 'link', 'set', 'br0', 'up');
      for (const [index, namespace] of namespaces.entries()) {
        ip('-n', bridge, 'link', 'add', `p${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
        ip('-n', bridge, 'link', 'set', `p${index}`, 'master', 'br0', 'up');
      }
    }
    for (const { namespace, address } of this.#machines) {
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    }
  }

  #addNamespace(name) {
    ip('netns', 'add', name);
    this.#namespaces.push(name);
    return name;
  }
}

/** One machine of a wire. */
export class Machine {
  role;
  namespace;
  address;
  #children = new Set();
  #agent;
  #waiting = new Map();
  #lastId = 0;

  constructor({ role, namespace, address }) {
    this.role = role;
    this.namespace = namespace;
    this.address = address;
  }

  /** Starts a program inside; it ends with the machine at the latest. */
  spawn(program, args, { env = {}, stdio = ['ignore', 'pipe', 'pipe'] } = {}) {
    const argv = ['netns', 'exec', this.namespace, program, ...args];
    const child = spawn('ip', argv, { stdio, env: ownEnvironment(env) });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /**
   * Runs a program inside to its end, one minute at most.
   * @returns {Promise<{code: number, stdout: string, stderr: string}>} never rejects because of the exit status
   */
  async run(program, args, options = {}) {
    const child = this.spawn(program, args, options);
    const bound = setTimeout(() => child.kill('SIGKILL'), RUN_BOUND_MS);
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exitCode(child)]);
    clearTimeout(bound);
    return { code, stdout, stderr };
  }

  /** Like `run`, but a failure is an error. Gives what it wrote. */
  async mustRun(program, args, options = {}) {
    const { code, stdout, stderr } = await this.run(program, args, options);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** Has something done on the network (test/support/lab/agent.mjs knows what) and gives its result. */
  tell(command, options = {}) {
    this.#agent ??= this.#startAgent();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#agent.stdin.write(`${JSON.stringify({ id, command, ...options })}\n`);
    });
  }

  /** Kills what was started inside. */
  endAll() {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #startAgent() {
    // The name is for a person who looks at the list of processes.
    const agent = this.spawn(process.execPath, [AGENT, this.namespace], { stdio: ['pipe', 'pipe', 'inherit'] });
    agent.stdin.on('error', () => {});
    agent.once('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the agent in ${this.namespace} ended`));
      this.#waiting.clear();
    });
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${this.namespace}: ${error}`));
    });
    return agent;
  }
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], env: ownEnvironment({}) });
}

async function text(stream) {
  let whole = '';
  for await (const piece of stream.setEncoding('utf8')) whole += piece;
  return whole;
}

/** The status with which a child ends; 128 and the signal's number where one ended it, as a shell has it. */
export function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
