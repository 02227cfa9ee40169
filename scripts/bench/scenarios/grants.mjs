/**
 * A gateway with 100,000 live grants beside one with a single grant, each on a machine whose foreign ruleset has a set of
 * 50,000 intervals: one more grant, a new connection, a restart, memory, and how long the event loop is held.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Wire } from '../../lib/namespaces.mjs';
import { grantsResult } from '../grants-result.mjs';
import { giveSources, monotonic, startServices, Worker } from '../load/machines.mjs';
import { memory } from '../load/processes.mjs';
import { fill, grantChanges, meta, userChange } from '../load/seed.mjs';
import { WatchedGateway } from '../load/watched-gateway.mjs';

const [TCP, UDP] = [22, 5060];
const CONFIG = `services: {ssh: [tcp/${TCP}], sip: [udp/${UDP}]}`;
const GRANTED = '10.64.0.0/14';
const INTERVALS = 50_000;
const HOUR_MS = 3_600_000;
const CROWD = { id: 1, sequenceId: 2, name: 'crowd', services: ['all'], maxAddresses: 1_000_000 };
const KNOCK = 'udp/21234,udp/28111,udp/24711';
/** Sources that connect, spread over all that are granted, so that no cache holds the whole set. */
const CONNECTING = 500;
const WARMING_UP = 100;
const RESTART_BOUND_MS = 30_000;

export const scenario = {
  id: 'grants',
  title: '100,000 live grants beside a foreign set of 50,000 intervals',
  minutes: 2,
  async run({ quick, progress }) {
    const wire = Wire.create('spmany', ['full', 'one', 'laptop']);
    try {
      return await new Grants(wire, { quick, progress }).run();
    } finally {
      wire.remove();
    }
  },
};

class Grants {
  #full;
  #one;
  #foreign;
  #laptop;
  #progress;
  #sizes;
  #grants;
  #connections;
  #restarts;
  #connector;
  #lastTarget = 0;

  constructor(wire, { quick, progress }) {
    const [full, one, laptop] = wire.machines;
    const gateway = (machine) => new WatchedGateway(machine, join(wire.directory, machine.role), CONFIG);
    this.#full = { machine: full, daemon: gateway(full) };
    this.#one = { machine: one, daemon: gateway(one) };
    this.#laptop = laptop;
    this.#progress = progress;
    this.#foreign = join(wire.directory, 'foreign.nft');
    this.#sizes = quick ? [0, 20_000] : [0, 1000, 10_000, 100_000];
    this.#grants = quick ? 40 : 80;
    this.#connections = quick ? 500 : 2000;
    this.#restarts = quick ? 1 : 2;
  }

  get #most() {
    return this.#sizes.at(-1);
  }

  async run() {
    await this.#prepare();
    const points = [];
    let held = { all: 0, own: 0 };
    for (const [index, size] of this.#sizes.entries()) {
      this.#progress.part(`${size} grants: start`);
      await this.#grow(this.#sizes[index - 1] ?? 0, size);
      points.push({ size, ...(await this.#measure(size)) });
      if (size === this.#most) held = await this.#holds(points.at(-1).from);
    }
    const served = memory(this.#full.daemon.pid);
    const restarts = await this.#restart();
    return grantsResult({ points, restarts, held, served, most: this.#most });
  }

  async #prepare() {
    this.#progress.part(`a foreign set of ${INTERVALS} intervals`);
    writeFileSync(this.#foreign, foreignTable());
    const gateways = [this.#full, this.#one];
    const machines = gateways.map(({ machine }) => machine);
    await giveSources(this.#laptop, machines, GRANTED);
    await startServices(machines, { tcp: TCP, udp: UDP });
    for (const { machine, daemon } of gateways) {
      await machine.mustRun('nft', ['-f', this.#foreign]);
      await fill(daemon.stateDirectory, [await userChange({ ...CROWD, knock: KNOCK }), ...meta(2)]);
    }
    await fill(this.#one.daemon.stateDirectory, grantsFrom(0, 1));
    await this.#one.daemon.start();
    this.#connector = new Worker(this.#laptop, 'connector.mjs');
  }

  /** Starts the gateway with so many grants. */
  async #grow(from, to) {
    const { daemon, machine } = this.#full;
    if (from !== to) {
      await daemon.end();
      await machine.mustRun('nft', ['delete table inet sallyport']);
    }
    await fill(daemon.stateDirectory, [...grantsFrom(from, to), ...meta(2)]);
    await daemon.start();
  }

  /** One more grant and a new connection, by turns with the gateway that has one grant. */
  async #measure(size) {
    const from = monotonic();
    const grant = { full: [], one: [] };
    // The first of each compiles code.
    for (let n = -10; n < this.#grants; n++) {
      for (const name of inTurn(n, ['full', 'one'])) {
        const took = await this.#oneMore(name === 'full' ? this.#full : this.#one);
        if (n >= 0) grant[name].push(took);
      }
      this.#progress.step(Math.max(0, n), this.#grants);
    }
    if (size === 0) return { from, grant };
    this.#progress.part(`${size} grants: new connections`);
    const spread = Array.from({ length: CONNECTING }, (_, n) => source(Math.floor((n * size) / CONNECTING)));
    // Code is compiled before anything counts.
    await this.#connect(spread, WARMING_UP);
    const connect = await this.#connect(spread, this.#connections);
    return { from, grant, connect };
  }

  /** From the request to open until it is open and on the disk; taken back afterwards. */
  async #oneMore({ daemon }) {
    this.#lastTarget += 1;
    const target = `172.16.${this.#lastTarget >> 8}.${this.#lastTarget & 255}`;
    const start = performance.now();
    await daemon.api('POST', '/v1/allow', { target, services: ['all'], for: '1h' });
    const took = performance.now() - start;
    await daemon.api('POST', '/v1/revoke', { what: target });
    return took;
  }

  async #connect(spread, times) {
    const targets = [
      { target: this.#full.machine.address, sources: spread },
      { target: this.#one.machine.address, sources: [source(0)] },
    ];
    const { found } = await this.#connector.ask({ targets, tcp: TCP, udp: UDP, times });
    return { full: found[0], one: found[1] };
  }

  /** While grants came and went, and while somebody asked for all of them. */
  async #holds(from) {
    const { daemon } = this.#full;
    const until = monotonic();
    await daemon.api('GET', '/v1/status');
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { busy: daemon.longestHold(from, until), status: daemon.longestHold(until) };
  }

  async #restart() {
    const { daemon, machine } = this.#full;
    const found = { intact: [], listed: [], flushed: [], memory: [], missing: 0, holds: [] };
    for (let n = 1; n <= this.#restarts; n++) {
      this.#progress.part(`${this.#most} grants: restart ${n} of ${this.#restarts}`);
      await daemon.end('SIGKILL');
      const killed = monotonic();
      let start = killed;
      if (!(await this.#isReadyInTime(found))) break;
      found.intact.push(monotonic() - start);
      start = monotonic();
      const { grants, ready } = await daemon.api('GET', '/v1/status');
      found.listed.push(monotonic() - start);
      if (!ready) throw new Error('the gateway was ready and says it is not');
      found.missing = Math.max(found.missing, this.#most - grants.length);
      found.holds.push(daemon.longestHold(killed));
      found.memory.push(memory(daemon.pid));
      await daemon.end('SIGKILL');
      await machine.mustRun('nft', ['flush ruleset']);
      await machine.mustRun('nft', ['-f', this.#foreign]);
      start = monotonic();
      if (!(await this.#isReadyInTime(found))) break;
      let took = monotonic() - start;
      // The first look is at what was there when it said that it was ready.
      for (let isFirst = true; ; isFirst = false) {
        const count = await this.#inKernel();
        if (!isFirst) took = monotonic() - start;
        if (count >= this.#most || took > RESTART_BOUND_MS) {
          found.missing = Math.max(found.missing, this.#most - count);
          break;
        }
      }
      found.flushed.push(took);
      found.holds.push(daemon.longestHold(start));
      found.memory.push(memory(daemon.pid));
    }
    return found;
  }

  /** A start that takes too long is a figure too: as long as was waited. */
  async #isReadyInTime(found) {
    const start = monotonic();
    try {
      await this.#full.daemon.start();
      return true;
    } catch {
      for (const list of [found.intact, found.flushed]) list.push(monotonic() - start);
      await this.#full.daemon.end('SIGKILL');
      return false;
    }
  }

  async #inKernel() {
    const listing = await this.#full.machine.mustRun('nft', ['list', 'set', 'inet', 'sallyport', 'grant_all_4']);
    return listing.match(/ expires /g)?.length ?? 0;
  }
}

/** Neither is always the first: what the one leaves to be done must not always meet the other. */
function inTurn(n, pair) {
  return n % 2 === 0 ? pair : pair.toReversed();
}

function source(number) {
  return `10.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

function grantsFrom(from, to) {
  const grant = (number) =>
    grantChanges({ number, user: CROWD, target: source(number), services: ['all'], ttl: HOUR_MS });
  return Array.from({ length: to - from }, (_, n) => grant(from + n)).flat();
}

/** Pairs of addresses, none beside the next. */
function foreignTable() {
  const address = (n) => `11.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  const ranges = Array.from({ length: INTERVALS }, (_, n) => `${address(4 * n)}-${address(4 * n + 1)}`);
  return `table inet blocklist {
  set bad { type ipv4_addr; flags interval; elements = { ${ranges.join(', ')} } }
  chain input { type filter hook input priority 0; ip saddr @bad drop; }
}\n`;
}
