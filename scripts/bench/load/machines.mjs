/** What the scenarios do to the machines of a wire: many sources behind one of them, load, and what the kernel counted. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The machine's monotonic clock in milliseconds: the same in every process. */
export function monotonic() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Any address of a network is the machine's own, and the others find their way there. */
export async function giveSources(machine, others, network) {
  await machine.mustRun('ip', ['route', 'add', 'local', network, 'dev', 'lo']);
  for (const other of others) await other.mustRun('ip', ['route', 'add', network, 'via', machine.address]);
}

/** The echo of `port` in a machine, once it answers. */
export async function startEcho(machine, port) {
  const echo = machine.spawn(process.execPath, [script('../echo.mjs'), String(port)]);
  await once(echo.stdout, 'data');
}

/** A TCP port and an echo of UDP in each of the machines, once they are there; see services.mjs. */
export async function startServices(machines, { tcp, udp }) {
  const services = machines.map(({ namespace }) => ({ namespace, tcp, udp }));
  const child = machines[0].spawn(process.execPath, [script('./services.mjs'), JSON.stringify({ services })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
}

/** A program in a machine that takes JSON lines and gives JSON lines. */
export class Worker {
  #name;
  #child;
  #answers;

  constructor(machine, name, args = []) {
    this.#name = name;
    this.#child = machine.spawn(process.execPath, [script(name), ...args.map((arg) => JSON.stringify(arg))], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin.on('error', () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Asks for something, hands over what is said meanwhile, and gives the answer that is `done`. */
  async ask(job, onNews = () => {}) {
    for (let answer = await this.askOnce(job); ; answer = await this.#next()) {
      if (answer.done) return answer;
      onNews(answer);
    }
  }

  /** Asks for something that has one answer. */
  askOnce(job) {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    return this.#next();
  }

  async #next() {
    const { done, value } = await this.#answers.next();
    if (done) throw new Error(`${this.#name} ended`);
    return JSON.parse(value);
  }

  async end() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'close');
  }
}

/** What asks a guarded port whether it is open yet (prober.mjs), in a machine; one round at a time by `askOnce`. */
export function startProber(machine) {
  return new Worker(machine, '../prober.mjs');
}

/** A sender of datagrams (flood.mjs) in one machine to another. */
export async function startFlood(from, to) {
  const mac = (await to.mustRun('cat', ['/sys/class/net/eth0/address'])).trim();
  return new Worker(from, 'flood.mjs', [{ target: to.address, mac }]);
}

/** Packets that came over the wire of a machine, and those that were dropped before anything of ours saw them. */
export async function packetsCome(machine) {
  const folder = '/sys/class/net/eth0/statistics';
  const text = await machine.mustRun('cat', [`${folder}/rx_packets`, `${folder}/rx_dropped`]);
  const [come, dropped] = text.trim().split('\n').map(Number);
  return { come, dropped };
}
