/**
 * An hour of work: knocks at a steady rate from people who come back, with grants that run out, users who come and go,
 * operators who look on, strangers, and now and then a foreign hand in the rules. What grows, what is lost?
 */
import { existsSync, mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { disagreements, readRecords } from '../lib/agreement.mjs';
import { GatewayProcess } from '../lib/gateway.mjs';
import { Wire } from '../lib/namespaces.mjs';
import { Meddler, strayPacket, Visitors, Watchers } from './company.mjs';
import { hourFigures } from './figures.mjs';
import { followJournal, Knocks } from './knocks.mjs';
import { copyProgram } from './program.mjs';
import { grantElements, Sampler } from './sampler.mjs';

const RATE = 50;
const SOURCES = 5000;
const TTL_S = 60;
/** Of every so many users, one stays longer than it takes to come back: those grants are renewed. */
const LONGER = 5;
const LONGER_TTL_S = 600;
/** As many addresses as one user has at most. */
const PER_USER = 500;
/** Any address of this network is the laptop's: the people who knock, the visitors, the strangers. */
const NETWORK = '10.128.0.0/9';
const STRANGERS = 100;
const STRAYS_PER_SECOND = 50;
const SAMPLE_S = 10;
/** Grants that end within this time are left out where two looks are compared. */
const EDGE_S = 15;

export const scenario = {
  id: 'hour',
  title: 'An hour at 50 knocks a second',
  minutes: 60,
  async run({ quick, progress, directory, options }) {
    const minutes = options.minutes ?? (quick ? 3 : this.minutes);
    const wire = Wire.create('spsoak', ['gateway', 'laptop']);
    try {
      const ttl = options.ttl ?? TTL_S;
      const [rate, sources] = [options.rate ?? RATE, options.sources ?? SOURCES];
      return await new Hour(wire, { directory, progress, minutes, rate, sources, ttl }).run();
    } finally {
      wire.remove();
    }
  },
};

class Hour {
  #gateway;
  #laptop;
  #o;
  #daemon;
  #state;
  #knocks;
  #meddler;
  #watchers;
  #visitors;
  #errors = [];
  #excused = [];
  #cuts = 0;
  #lastSeq = 0;
  #users = [];
  #timers = [];
  #isOver = false;

  constructor(wire, options) {
    [this.#gateway, this.#laptop] = wire.machines;
    this.#o = options;
  }

  async run() {
    const { minutes, progress, rate } = this.#o;
    await this.#prepare();
    const sampler = new Sampler({
      daemon: this.#daemon,
      gateway: this.#gateway,
      state: this.#state,
      more: () => ({
        journal: this.#lastSeq,
        begun: this.#knocks.begun,
        answered: this.#knocks.answered,
        here: this.#watchers.here,
      }),
    });
    await sampler.take();
    sampler.start(SAMPLE_S);
    this.#knocks.start(rate, this.#nextKnock());
    this.#keepCompany();
    for (let second = 1; second <= minutes * 60; second++) {
      await sleep(1000);
      progress.step(second, `${minutes * 60} s; ${this.#knocks.answered} knocks answered`);
      if (!existsSync(join('/proc', String(this.#daemon.pid))))
        throw new Error(`the daemon ended: ${this.#errors.at(-1)}`);
    }
    for (const timer of this.#timers) clearInterval(timer);
    this.#knocks.pause();
    const end = performance.now() + 20_000;
    while ((this.#knocks.waiting > 0 || this.#meddler.isWaiting) && performance.now() < end) await sleep(100);
    sampler.stop();
    await this.#watchers.leave();
    await sampler.take();
    return await this.#conclude(sampler);
  }

  async #prepare() {
    const { directory, progress, sources, rate, ttl } = this.#o;
    const main = copyProgram(join(directory, 'program'));
    const home = join(directory, 'daemon');
    this.#state = join(home, 'state');
    mkdirSync(home, { recursive: true });
    await this.#laptop.mustRun('ip', ['route', 'add', 'local', NETWORK, 'dev', 'lo']);
    await this.#gateway.mustRun('ip', ['route', 'add', NETWORK, 'via', this.#laptop.address]);
    const config = 'services: {ssh: [tcp/22], web: [tcp/80, tcp/443]}\ngrants: {ttl: 10m, max_ttl: 1h}';
    this.#daemon = new GatewayProcess(this.#gateway, home, config, { main, onLine: (line) => this.#heedLine(line) });
    progress.part('starting the daemon, adding users');
    await this.#daemon.start();
    await this.#daemon.api('POST', '/v1/firewall/confirm');
    const live = Math.min(sources, rate * ttl * 1.5);
    const count = Math.max(20, Math.ceil(live / PER_USER));
    for (let n = 0; n < count; n++) {
      const time = sources === SOURCES && n % LONGER === 0 ? LONGER_TTL_S : ttl;
      const body = { name: `user${n}`, ttl: `${time}s`, max_addresses: 1000, services: ['ssh'] };
      this.#users.push((await this.#daemon.api('POST', '/v1/users', { ...body, knock: sequenceOf(n) })).sequence);
    }
    this.#meddler = new Meddler(this.#gateway);
    this.#knocks = new Knocks(this.#laptop, this.#gateway.address, (since) => this.#meddler.wasAt(since));
    this.#watchers = new Watchers(this.#gateway, main, join(home, 'sallyport.yaml'));
    this.#visitors = new Visitors(
      (...args) => this.#daemon.api(...args),
      (knock) => this.#knocks.send([knock]),
      (n) => address(0x60_0000 + (n % 10_000)),
      () => this.#meddler.wasAt(performance.now()),
    );
    this.#follow();
    await sleep(500);
    progress.part('knocking');
  }

  /** Sources by turns: each comes back after all the others. */
  #nextKnock() {
    const { sources } = this.#o;
    let n = 0;
    return () => {
      const index = n++ % sources;
      const user = index % this.#users.length;
      return { user: `user${user}`, source: address(index), ports: this.#users[user] };
    };
  }

  #keepCompany() {
    const every = (seconds, act) => {
      this.#timers.push(
        setInterval(() => void Promise.resolve(act()).catch((error) => this.#failed(error)), seconds * 1000),
      );
    };
    every(1, () => this.#visitors.step());
    every(5, () => this.#daemon.api('GET', '/v1/status'));
    every(60, () => this.#watchers.status());
    every(12, () => this.#watchers.follow());
    every(0.1, () => this.#knocks.stray(Array.from({ length: STRAYS_PER_SECOND / 10 }, () => this.#stray())));
    every(Math.max(25, this.#o.minutes * 3), () => this.#meddler.meddle());
  }

  #stray() {
    return strayPacket(Math.random, address(0x70_0000 + Math.floor(Math.random() * STRANGERS)));
  }

  #failed(error) {
    if (!this.#isOver) this.#note(`a client: ${error.message}`);
  }

  #heedLine(line) {
    const level = Number(/"level":(\d+)/.exec(line)?.[1] ?? 50);
    if (level >= 50) this.#note(line.slice(0, 600));
  }

  /** What fails while the rules are not there is told apart. */
  #note(error) {
    const isExcused = this.#meddler?.wasAt(performance.now()) === true;
    (isExcused ? this.#excused : this.#errors).push(error);
  }

  /** Hears all events: what was written while the stream was cut is read afterwards. */
  #follow() {
    const options = { socketPath: this.#daemon.socket, path: '/v1/journal/follow' };
    const hear = (event) => {
      if (event.seq <= this.#lastSeq) return;
      this.#lastSeq = event.seq;
      this.#knocks.hear(event);
      this.#meddler.hear(event);
    };
    const onCut = async () => {
      if (this.#isOver) return;
      this.#cuts += 1;
      const seq = this.#lastSeq;
      this.#follow();
      for (const event of await this.#daemon.api('GET', `/v1/journal?after=${seq}&limit=10000`)) hear(event);
    };
    followJournal(
      (onAnswer) =>
        request(options, onAnswer)
          .on('error', () => {})
          .end(),
      hear,
      () => void onCut().catch(() => {}),
    );
  }

  async #conclude(sampler) {
    const { minutes, progress, rate, sources, ttl } = this.#o;
    progress.part('comparing the store, the kernel and the journal');
    const { grants } = await this.#daemon.api('GET', '/v1/status');
    const elements = await grantElements(this.#gateway);
    const stayed = new Set(grants.filter(({ remaining_s }) => remaining_s > EDGE_S).map(({ id }) => id));
    this.#isOver = true;
    this.#knocks.end();
    await this.#daemon.end('SIGTERM');
    const leaving = new Set(grants.filter(({ id }) => !stayed.has(id)).map(({ id }) => id));
    const { records, events } = await this.#read();
    const differences = disagreements({
      grants: grants.filter(({ id }) => stayed.has(id)),
      elements: elements.filter(({ comment }) => ![...leaving].some((id) => comment?.includes(id))),
      records: records.filter(({ id }) => !leaving.has(id)),
      events: events.filter(({ grant }) => !leaving.has(grant)),
    });
    const figures = hourFigures({
      minutes,
      samples: sampler.samples,
      knocks: this.#knocks,
      visitors: this.#visitors,
      watchers: this.#watchers,
      meddler: this.#meddler,
      errors: this.#errors,
      excused: this.#excused,
      cuts: this.#cuts,
      differences,
      records,
    });
    const samples = {
      rate,
      sources,
      ttl_s: ttl,
      series: sampler.samples,
      errors: this.#errors.slice(0, 50),
      excused: this.#excused.slice(0, 50),
      differences: differences.slice(0, 50),
      lost: this.#knocks.lost.slice(0, 50),
      late: this.#knocks.late.slice(0, 50),
      refused: this.#visitors.refused.slice(0, 20),
      failed_watchers: this.#watchers.failed.slice(0, 20),
      stuck: this.#meddler.stuck,
    };
    return { figures, samples, notes: notesOf(samples) };
  }

  async #read() {
    const driver = join(this.#o.directory, 'program', 'dist', 'store', 'driver.js');
    const { Sqlite } = await import(pathToFileURL(driver).href);
    const db = new Sqlite(join(this.#state, 'sallyport.db'), { readonly: true });
    try {
      return readRecords(db);
    } finally {
      db.close();
    }
  }
}

/** What a person wants to see of what went wrong. */
function notesOf({ errors, differences, lost, late, refused, failed_watchers, stuck }) {
  const some = (name, items) =>
    items.slice(0, 3).map((item) => `${name}: ${typeof item === 'string' ? item : JSON.stringify(item)}`);
  return [
    ...some('error', errors),
    ...some('difference', differences),
    ...some('lost', lost),
    ...some('late', late),
    ...some('refused', refused),
    ...some('failed', failed_watchers),
    ...some('not repaired', stuck),
  ];
}

function address(index) {
  const n = index + 1;
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

/** Three ports of the pool that no other user has, none beside another. */
function sequenceOf(n) {
  return [21_000, 27_000, 24_000].map((first) => `udp/${first + n * 2}`).join(',');
}
