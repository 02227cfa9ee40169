/**
 * From the last packet of a knock to the port open, beside knockd: the same machines, the same sequence, the same prober,
 * in blocks by turns, so that whatever else the host does meets both.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GatewayProcess } from '../lib/gateway.mjs';
import { Wire } from '../lib/namespaces.mjs';
import { Knockd } from './knockd.mjs';
import { summary } from './statistics.mjs';

const KNOCKS = [21234, 28111, 24711];
/** In the pool, and in no sequence: a knock on it changes nothing. */
const DEAF_KNOCK = 26500;
const PORT = 5060;
const GAP_MS = 20;
const PROBE_PAUSE_US = 1;
const BOUND_MS = 2000;
const PAUSE_MS = 25;
const BLOCKS = 6;
/** Sources of knocks, each used once: any address of this network is the laptop's. */
const SOURCES = '10.78.0.0/16';
const CONFIG = `services: {sip: [udp/${PORT}]}`;

/**
 * @param {{quick: boolean, progress: import('./progress.mjs').Progress, peers: {folder?: string, missing?: string}}} options
 */
export async function measureOpening({ quick, progress, peers }) {
  const wire = Wire.create('spbench', ['gateway', 'laptop']);
  try {
    return await new Opening(wire, { quick, progress, peers }).run();
  } finally {
    progress.end();
    wire.remove();
  }
}

class Opening {
  #wire;
  #gateway;
  #laptop;
  #progress;
  #peers;
  #perBlock;
  #rounds;
  #lastSource = 0;

  constructor(wire, { quick, progress, peers }) {
    this.#wire = wire;
    [this.#gateway, this.#laptop] = wire.machines;
    this.#progress = progress;
    this.#peers = peers;
    this.#perBlock = quick ? { sallyport: 10, knockd: 3, floor: 3 } : { sallyport: 50, knockd: 10, floor: 10 };
  }

  async run() {
    await this.#prepare();
    const daemon = new GatewayProcess(this.#gateway, join(this.#wire.directory, 'sallyport'), CONFIG);
    const knockd = this.#knockd();
    const way = knockd === undefined ? undefined : await this.#fastestWay(knockd);
    const samples = { sallyport: [], knockd: [], floor: [], first: [] };
    for (let block = 1; block <= BLOCKS; block++) {
      this.#progress.part(`block ${block} of ${BLOCKS}, Sallyport`);
      await this.#sallyportBlock(daemon, samples);
      if (knockd === undefined) continue;
      this.#progress.part(`block ${block} of ${BLOCKS}, knockd (${way})`);
      await knockd.start(way);
      samples.knockd.push(...(await this.#series(this.#perBlock.knockd, KNOCKS)));
      await knockd.stop();
    }
    return result(samples, way ?? null, this.#peers.missing ?? null);
  }

  async #prepare() {
    const [, network] = [this.#laptop.address, SOURCES];
    await this.#laptop.mustRun('ip', ['route', 'add', 'local', network, 'dev', 'lo']);
    await this.#gateway.mustRun('ip', ['route', 'add', network, 'via', this.#laptop.address]);
    const script = (name) => fileURLToPath(new URL(name, import.meta.url));
    const echo = this.#gateway.spawn(process.execPath, [script('./echo.mjs'), String(PORT)]);
    await once(echo.stdout, 'data');
    const stdio = ['pipe', 'pipe', 'inherit'];
    const prober = this.#laptop.spawn(process.execPath, [script('./prober.mjs')], { stdio });
    const answers = createInterface({ input: prober.stdout })[Symbol.asyncIterator]();
    this.#rounds = async (round) => {
      prober.stdin.write(`${JSON.stringify(round)}\n`);
      const { done, value } = await answers.next();
      if (done) throw new Error('the prober ended');
      return JSON.parse(value);
    };
    // Its code is compiled before anything counts.
    this.#progress.part('warming the prober up');
    await this.#series(20, [DEAF_KNOCK]);
  }

  #knockd() {
    if (this.#peers.folder === undefined) return undefined;
    const directory = join(this.#wire.directory, 'knockd');
    mkdirSync(directory);
    return new Knockd({ machine: this.#gateway, folder: this.#peers.folder, directory, knocks: KNOCKS, port: PORT });
  }

  /** The best case of knockd on this host. */
  async #fastestWay(knockd) {
    const ways = Knockd.ways();
    if (ways.length === 1) return ways[0];
    let best;
    for (const way of ways) {
      this.#progress.part(`trying knockd with ${way}`);
      await knockd.start(way);
      const { median } = summary(await this.#series(8, KNOCKS));
      await knockd.stop();
      if (best === undefined || median < best.median) best = { way, median };
    }
    return best.way;
  }

  async #sallyportBlock(daemon, samples) {
    await daemon.start();
    if (samples.sallyport.length === 0) {
      const knock = KNOCKS.map((port) => `udp/${port}`).join(',');
      await daemon.api('POST', '/v1/users', { name: 'alice', knock, max_addresses: 1000 });
      await daemon.api('POST', '/v1/firewall/confirm');
    }
    const opened = await this.#series(this.#perBlock.sallyport, KNOCKS);
    samples.sallyport.push(...opened);
    samples.first.push(opened[0]);
    // The last one is in now: for it the port is open from the first probe on.
    samples.floor.push(...(await this.#series(this.#perBlock.floor, [DEAF_KNOCK], this.#source())));
    await daemon.end();
    await this.#gateway.mustRun('nft', ['delete table inet sallyport']);
  }

  async #series(rounds, knocks, source) {
    const found = [];
    for (let n = 1; n <= rounds; n++) {
      if (source === undefined) this.#lastSource += 1;
      const round = { source: source ?? this.#source(), target: this.#gateway.address, knocks, port: PORT };
      found.push(await this.#rounds({ ...round, gap: GAP_MS, pause: PROBE_PAUSE_US, bound: BOUND_MS }));
      this.#progress.step(n, rounds);
      await sleep(PAUSE_MS);
    }
    return found;
  }

  #source() {
    return `10.78.${this.#lastSource >> 8}.${this.#lastSource & 255}`;
  }
}

function result({ sallyport, knockd, floor, first }, way, missing) {
  const times = (rounds) => rounds.map(({ opened }) => opened);
  const ours = summary(times(sallyport));
  const theirs = knockd.length === 0 ? null : summary(times(knockd));
  return {
    unit: 'ms',
    sallyport: ours,
    firstAfterStart: summary(times(first)),
    knockd: theirs && { ...theirs, opensBy: way },
    knockdMissing: missing,
    floor: summary(times(floor)),
    resolution: summary([...sallyport, ...knockd].map(({ unsure }) => unsure)),
    echo: summary(sallyport.map(({ echo }) => echo)),
    ratios: theirs && { median: theirs.median / ours.median, p99ToMedian: ours.p99 / theirs.median },
    samples: { sallyport: times(sallyport), knockd: times(knockd), floor: times(floor) },
  };
}
