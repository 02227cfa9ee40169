/**
 * From the last packet of a knock to the port open, beside knockd and fwknopd: the same machines, the same prober, in
 * blocks by turns, so that whatever else the host does meets all of them.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayProcess } from '../../lib/gateway.mjs';
import { Wire } from '../../lib/namespaces.mjs';
import { Fwknopd, SPA_PORT } from '../fwknopd.mjs';
import { Iptables } from '../iptables.mjs';
import { Knockd } from '../knockd.mjs';
import { giveSources, startEcho, startProber } from '../load/machines.mjs';
import { openingResult } from '../opening-result.mjs';

const KNOCKS = [21234, 28111, 24711];
/** In the pool, and in no sequence: a knock on it changes nothing. */
const DEAF_KNOCK = 26500;
const PORT = 5060;
const GAP_MS = 20;
const PROBE_PAUSE_US = 25;
const BOUND_MS = 2000;
const PAUSE_MS = 25;
/** fwknopd sleeps in turns of a tenth of a second: its packets come at any moment of a turn. */
const TURN_MS = 100;
/** In microseconds: the best case of fwknopd, which its users do not run. */
const SHORT_SLEEP = 1000;
const BLOCKS = { whole: 6, quick: 2 };
const ROUNDS = {
  whole: { sallyport: 60, knockd: 12, fwknopd: 15, eagerFwknopd: 8, floor: 10 },
  quick: { sallyport: 15, knockd: 4, fwknopd: 5, eagerFwknopd: 3, floor: 5 },
};
/** Sources of knocks, each used once: any address of this network is the laptop's. */
const SOURCES = '10.78.0.0/16';
const CONFIG = `services: {sip: [udp/${PORT}]}`;

export const scenario = {
  id: 'opening',
  title: 'From the last packet to the port open',
  minutes: 2,
  async run({ quick, progress, peers, directory }) {
    const wire = Wire.create('spbench', ['gateway', 'laptop']);
    try {
      return await new Opening(wire, { quick, progress, peers, directory }).run();
    } finally {
      wire.remove();
    }
  },
};

class Opening {
  #gateway;
  #laptop;
  #directory;
  #progress;
  #peers;
  #blocks;
  #perBlock;
  #prober;
  #lastSource = 0;
  #knockdByWay = {};
  #samples = { sallyport: [], first: [], floor: [], fwknopd: [], eagerFwknopd: [] };

  constructor(wire, { quick, progress, peers, directory }) {
    [this.#gateway, this.#laptop] = wire.machines;
    this.#directory = directory;
    this.#progress = progress;
    this.#peers = peers;
    this.#blocks = quick ? BLOCKS.quick : BLOCKS.whole;
    this.#perBlock = quick ? ROUNDS.quick : ROUNDS.whole;
  }

  async run() {
    await this.#prepare();
    const daemon = new GatewayProcess(this.#gateway, join(this.#directory, 'sallyport'), CONFIG);
    const iptables = await Iptables.find(this.#peers.folder, this.#gateway);
    const knockd = Knockd.find({ ...this.#place('knockd'), iptables, machine: this.#gateway, knocks: KNOCKS });
    const fwknopd = Fwknopd.find({ ...this.#place('fwknopd'), iptables, gateway: this.#gateway, laptop: this.#laptop });
    for (let block = 1; block <= this.#blocks; block++) {
      const part = (who) => this.#progress.part(`block ${block} of ${this.#blocks}, ${who}`);
      part('Sallyport');
      await this.#sallyportBlock(daemon);
      for (const way of knockd?.ways ?? []) {
        part(`knockd (${way})`);
        await knockd.start(way);
        const rounds = await this.#series(this.#perBlock.knockd, KNOCKS);
        await knockd.stop();
        this.#knockdByWay[way] = [...(this.#knockdByWay[way] ?? []), ...rounds];
      }
      if (fwknopd === undefined) continue;
      part('fwknopd');
      await this.#fwknopdBlock(fwknopd, 'fwknopd');
      part(`fwknopd, looking every ${SHORT_SLEEP / 1000} ms`);
      await this.#fwknopdBlock(fwknopd, 'eagerFwknopd', SHORT_SLEEP);
    }
    return openingResult(this.#samples, this.#knockdByWay);
  }

  /** A folder for a peer, and where its programs are. */
  #place(name) {
    const directory = join(this.#directory, name);
    mkdirSync(directory);
    return { folder: this.#peers.folder, directory, port: PORT };
  }

  async #prepare() {
    await giveSources(this.#laptop, [this.#gateway], SOURCES);
    await startEcho(this.#gateway, PORT);
    this.#prober = startProber(this.#laptop);
    // Its code is compiled before anything counts.
    this.#progress.part('warming the prober up');
    await this.#series(20, [DEAF_KNOCK]);
  }

  async #sallyportBlock(daemon) {
    await daemon.start();
    const { sallyport, first, floor } = this.#samples;
    if (sallyport.length === 0) {
      const knock = KNOCKS.map((port) => `udp/${port}`).join(',');
      await daemon.api('POST', '/v1/users', { name: 'alice', knock, max_addresses: 1000 });
      await daemon.api('POST', '/v1/firewall/confirm');
    }
    const opened = await this.#series(this.#perBlock.sallyport, KNOCKS);
    sallyport.push(...opened);
    first.push(opened[0]);
    // The last one is in now: for it the port is open from the first probe on.
    const isIn = this.#source();
    for (let n = 0; n < this.#perBlock.floor; n++) floor.push(await this.#one({ source: isIn, knocks: [DEAF_KNOCK] }));
    await daemon.end();
    await this.#gateway.mustRun('nft', ['delete table inet sallyport']);
  }

  async #fwknopdBlock(fwknopd, name, loopSleep) {
    await fwknopd.start(loopSleep);
    for (let n = 1; n <= this.#perBlock[name]; n++) {
      this.#lastSource += 1;
      const source = this.#source();
      const payload = await fwknopd.packet(source);
      await sleep(Math.random() * TURN_MS);
      this.#samples[name].push(await this.#one({ source, knocks: [SPA_PORT], payload }));
      this.#progress.step(n, this.#perBlock[name]);
    }
    await fwknopd.stop();
  }

  async #series(rounds, knocks) {
    const found = [];
    for (let n = 1; n <= rounds; n++) {
      this.#lastSource += 1;
      found.push(await this.#one({ source: this.#source(), knocks }));
      this.#progress.step(n, rounds);
    }
    return found;
  }

  async #one(round) {
    const rest = { target: this.#gateway.address, port: PORT, gap: GAP_MS, pause: PROBE_PAUSE_US, bound: BOUND_MS };
    const found = await this.#prober.askOnce({ ...round, ...rest });
    await sleep(PAUSE_MS);
    return found;
  }

  #source() {
    return `10.78.${this.#lastSource >> 8}.${this.#lastSource & 255}`;
  }
}
