/** What goes on beside the knocks: operators, people who watch the journal, strangers, and hands that meddle with the rules. */
import { setTimeout as sleep } from 'node:timers/promises';

const POOL = [21_000, 29_999];
const REPAIR_BOUND_MS = 15_000;
/** What was begun while the rules were not there may fail a little later. */
const SETTLING_MS = 1000;
const FOLLOWS_MS = 20_000;

/** Users who come, change and go, one step a second, and knock meanwhile. */
export class Visitors {
  steps = 0;
  refused = [];
  #api;
  #knock;
  #source;
  #guests = [];
  #count = 0;
  /** Refused while the rules were not there. */
  excused = 0;
  #isDisturbed;

  /** @param knock begins a knock: `{ user, source, ports }`; @param source gives an address nobody else knocks from */
  constructor(api, knock, source, isDisturbed) {
    this.#isDisturbed = isDisturbed;
    this.#api = api;
    this.#knock = knock;
    this.#source = source;
  }

  /** One step of one visitor: added, changed, given another sequence, let in from outside, removed. */
  async step() {
    const guest = this.#guests.find(({ stage }) => stage < 5) ?? this.#arrive();
    this.steps += 1;
    try {
      await this.#advance(guest);
    } catch (error) {
      if (this.#isDisturbed()) this.excused += 1;
      else this.refused.push(error.message);
      guest.stage = 5;
    }
    this.#guests = this.#guests.filter(({ stage }) => stage < 5);
    // Several are about at a time, each at a stage of its own.
    this.#guests.push(...this.#guests.splice(0, 1));
    if (this.#guests.length < 4) this.#arrive();
  }

  #arrive() {
    const guest = { name: `guest${++this.#count}`, stage: 0, source: this.#source(this.#count) };
    this.#guests.push(guest);
    return guest;
  }

  async #advance(guest) {
    const path = `/v1/users/${guest.name}`;
    const stage = guest.stage++;
    if (stage === 0) {
      this.#enters(guest, await this.#api('POST', '/v1/users', { name: guest.name, services: ['web'], ttl: '30s' }));
    } else if (stage === 1) await this.#api('PATCH', path, { max_addresses: 3, ttl: '45s' });
    else if (stage === 2) this.#enters(guest, await this.#api('POST', `${path}/rotate`));
    else if (stage === 3) {
      const request = { target: guest.source, for: '40s', services: ['ssh'], user: guest.name };
      await this.#api('POST', '/v1/allow', request);
    } else await this.#api('DELETE', path);
  }

  #enters({ name, source }, card) {
    this.#knock({ user: name, source, ports: card.sequence });
  }
}

/** People who run `status`, and `log --follow` for a while; some hang up, some are killed. */
export class Watchers {
  came = 0;
  failed = [];
  #machine;
  #main;
  #config;
  #following = [];

  constructor(machine, main, config) {
    this.#machine = machine;
    this.#main = main;
    this.#config = config;
  }

  async status() {
    this.came += 1;
    const { code, stderr } = await this.#machine.run(process.execPath, this.#argv('status', '--json'));
    if (code !== 0) this.failed.push(stderr.trim());
  }

  follow() {
    this.came += 1;
    const signal = this.came % 3 === 0 ? 'SIGKILL' : 'SIGTERM';
    const argv = this.#argv('log', '--follow', '--since', '1m', '--json');
    const child = this.#machine.spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'ignore'] });
    const timer = setTimeout(() => child.kill(signal), FOLLOWS_MS);
    child.once('close', () => {
      clearTimeout(timer);
      this.#following.splice(this.#following.indexOf(child), 1);
    });
    this.#following.push(child);
  }

  /** Sends all of them home, and waits for it. */
  async leave() {
    for (const child of this.#following) child.kill('SIGKILL');
    while (this.#following.length > 0) await sleep(20);
  }

  get here() {
    return this.#following.length;
  }

  #argv(...args) {
    return [this.#main, ...args, '--config', this.#config];
  }
}

/** Somebody changes our table past us. */
export class Meddler {
  done = 0;
  /** What was not put right in time. */
  stuck = [];
  #gateway;
  #heard = 0;
  /** When the guard may have been wrong: pairs of the monotonic clock. */
  #times = [];

  constructor(gateway) {
    this.#gateway = gateway;
  }

  /** An event of the journal. */
  hear({ event }) {
    if (event === 'drift.repaired') this.#heard += 1;
  }

  /** Whether the guard was meddled with after a moment. */
  wasAt(since) {
    return this.#times.some(({ from, until }) => from <= performance.now() && until >= since - SETTLING_MS);
  }

  /** Whether something is still to be put right. */
  get isWaiting() {
    return this.#times.at(-1)?.until === Number.POSITIVE_INFINITY;
  }

  async meddle() {
    const set = 'grant_ssh_4';
    const ways = [
      ['flush', 'set', 'inet', 'sallyport', set],
      ['delete', 'table', 'inet', 'sallyport'],
      ['add', 'element', 'inet', 'sallyport', set, '{ 203.0.113.77 timeout 1h }'],
      ['flush', 'map', 'inet', 'sallyport', 'step'],
      ['flush', 'ruleset'],
    ];
    const way = ways[this.done++ % ways.length];
    const time = { from: performance.now(), until: Number.POSITIVE_INFINITY };
    this.#times.push(time);
    const before = this.#heard;
    await this.#gateway.mustRun('nft', way);
    const end = performance.now() + REPAIR_BOUND_MS;
    while (this.#heard === before && performance.now() < end) await sleep(50);
    if (this.#heard === before) this.stuck.push(way.join(' '));
    time.until = performance.now();
  }
}

/** A packet to the pool from somebody who knows nothing. */
export function strayPacket(random, source) {
  return { source, port: POOL[0] + Math.floor(random() * (POOL[1] - POOL[0] + 1)) };
}
