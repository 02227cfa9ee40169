/**
 * A million packets of noise on the pool, 100,000 a second, while honest people go on knocking: how many of them do not
 * get in, and what the noise costs the gateway, beside knockd under the same noise, and fwknopd under noise on its port.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayProcess } from '../../lib/gateway.mjs';
import { Wire } from '../../lib/namespaces.mjs';
import { Fwknopd, SPA_PORT } from '../fwknopd.mjs';
import { Knockd } from '../knockd.mjs';
import { giveSources, packetsCome, startEcho, startFlood, Worker } from '../load/machines.mjs';
import { pidIn, processorTime, softirqTime } from '../load/processes.mjs';
import { noiseResult } from '../noise-result.mjs';

const KNOCKS = [21234, 28111, 24711];
const PORT = 5060;
const CONFIG = `services: {sip: [udp/${PORT}]}`;
const HONEST = '10.78.0.0/16';
/** A little above what is asked for, so that the whole comes to no less. */
const RATE = 102_000;
const EVERY_MS = 400;
/** Until its code is compiled as well as it gets: that goes on for some hundred knocks, and is no cost of noise. */
const WARM_UP = { people: 250, every: 20 };
/**
 * Rounds without noise before any counts: V8 goes on compiling in the background after a rush, and compacts the memory that
 * it left some ten seconds later. That would be put down to whatever noise comes first.
 */
const SETTLING_ROUNDS = { whole: 2, quick: 1 };
/** Peers are not compiled while they run, and idle for nothing: their honest knocks alone may come faster. */
const PEER_CONTROL_EVERY_MS = 100;
const POOL = { first: 21_000, count: 9000 };
const NOISE_FROM = '100.64.0.0';

const KINDS = [
  { id: 'one-port', title: 'on one knock port', sources: 1, ports: { first: KNOCKS[0], count: 1 } },
  { id: 'pool', title: 'over the whole pool', sources: 1, ports: POOL },
  { id: 'spoofed', title: 'over the pool from 50,000 spoofed sources', sources: 50_000, ports: POOL },
  {
    id: 'first-knocks',
    title: 'right first knocks, each from another spoofed source',
    sources: 1_000_000,
    ports: { first: KNOCKS[0], count: 1 },
  },
];

export const scenario = {
  id: 'noise',
  title: 'A million packets of noise at 100,000 a second',
  minutes: 3,
  async run({ quick, progress, peers }) {
    const wire = Wire.create('spnoise', ['gateway', 'laptop']);
    try {
      return await new Noise(wire, { quick, progress, peers }).run();
    } finally {
      wire.remove();
    }
  },
};

class Noise {
  #wire;
  #gateway;
  #laptop;
  #progress;
  #peers;
  #quick;
  #packets;
  #people;
  #flood;
  #honest;
  #lastPerson = 0;

  constructor(wire, { quick, progress, peers }) {
    this.#wire = wire;
    [this.#gateway, this.#laptop] = wire.machines;
    this.#progress = progress;
    this.#peers = peers;
    this.#quick = quick;
    this.#packets = quick ? 100_000 : 1_000_000;
    this.#people = quick ? 5 : 25;
  }

  async run() {
    await giveSources(this.#laptop, [this.#gateway], HONEST);
    await startEcho(this.#gateway, PORT);
    this.#flood = await startFlood(this.#laptop, this.#gateway);
    this.#honest = new Worker(this.#laptop, 'honest.mjs');
    const ours = await this.#underSallyport();
    const theirs = await this.#underKnockd();
    // A quick run leaves out what takes long: people who are not let in go on trying for twenty seconds.
    const spa = this.#quick ? null : await this.#underFwknopd();
    return noiseResult({ kinds: KINDS, ours, theirs, spa, packets: this.#packets, people: this.#people });
  }

  async #underSallyport() {
    const daemon = new GatewayProcess(this.#gateway, join(this.#wire.directory, 'sallyport'), CONFIG);
    await daemon.start();
    const knock = KNOCKS.map((port) => `udp/${port}`).join(',');
    await daemon.api('POST', '/v1/users', { name: 'alice', knock, max_addresses: 1000 });
    await daemon.api('POST', '/v1/firewall/confirm');
    this.#progress.part('Sallyport: warming up');
    await this.#round(daemon.pid, this.#quick ? { ...WARM_UP, people: 60 } : WARM_UP);
    this.#progress.part('Sallyport: settling');
    for (let n = 0; n < (this.#quick ? SETTLING_ROUNDS.quick : SETTLING_ROUNDS.whole); n++) {
      await this.#round(daemon.pid, { people: this.#people });
    }
    const kinds = await this.#kinds('Sallyport', daemon.pid, KINDS);
    // Last, when its code is compiled as well as it gets: what they cost is no noise, and must not be put too high.
    const control = await this.#control('Sallyport', daemon.pid);
    const { grants } = await daemon.api('GET', '/v1/status');
    await daemon.end();
    await this.#gateway.mustRun('nft', ['delete table inet sallyport']);
    const isHonest = ({ address }) => address.startsWith('10.78.');
    return { control, kinds, letIn: grants.filter((grant) => !isHonest(grant)).length };
  }

  async #underKnockd() {
    const directory = join(this.#wire.directory, 'knockd');
    mkdirSync(directory);
    const { folder } = this.#peers;
    const knockd = Knockd.find({ machine: this.#gateway, folder, directory, knocks: KNOCKS, port: PORT });
    if (knockd === undefined) return null;
    await knockd.start('nft add element');
    const pid = await pidIn(this.#gateway, 'knockd');
    // First: what it has not worked off yet of the noise is no cost of theirs.
    const control = await this.#control('knockd', pid, PEER_CONTROL_EVERY_MS);
    const kinds = await this.#kinds('knockd', pid, this.#quick ? KINDS.slice(0, 1) : KINDS);
    await knockd.stop();
    return { control, kinds };
  }

  /** The noise goes to the one port that it looks at; each of the honest has a packet of their own. */
  async #underFwknopd() {
    const directory = join(this.#wire.directory, 'fwknopd');
    mkdirSync(directory);
    const [gateway, laptop] = [this.#gateway, this.#laptop];
    const fwknopd = Fwknopd.find({ gateway, laptop, folder: this.#peers.folder, directory, port: PORT });
    if (fwknopd === undefined) return null;
    await fwknopd.start();
    const pid = await pidIn(gateway, 'fwknopd');
    this.#progress.part('fwknopd: packets for the honest');
    const rounds = [];
    for (const kind of [undefined, { ...KINDS[0], ports: { first: SPA_PORT, count: 1 } }]) {
      const first = this.#lastPerson + 1;
      const payloads = [];
      for (let n = 0; n < this.#people; n++) payloads.push(await fwknopd.packet(personAddress(first + n)));
      this.#progress.part(kind === undefined ? 'fwknopd: honest packets alone' : 'fwknopd: noise on its port');
      const every = kind === undefined ? PEER_CONTROL_EVERY_MS : EVERY_MS;
      rounds.push(await this.#round(pid, { people: this.#people, every, kind, knocks: [SPA_PORT], payloads }));
    }
    await fwknopd.stop();
    return { control: rounds[0], kinds: [{ kind: KINDS[0], ...rounds[1] }] };
  }

  #control(name, pid, every = EVERY_MS) {
    this.#progress.part(`${name}: honest knocks alone`);
    return this.#round(pid, { people: this.#people, every });
  }

  async #kinds(name, pid, some) {
    const rounds = [];
    for (const kind of some) {
      this.#progress.part(`${name}: noise ${kind.title}`);
      rounds.push({ kind, ...(await this.#round(pid, { people: this.#people, kind })) });
    }
    return rounds;
  }

  async #round(pid, { people, every = EVERY_MS, kind, knocks = KNOCKS, payloads }) {
    const before = { cpu: processorTime(pid), softirq: softirqTime(), packets: await packetsCome(this.#gateway) };
    const start = performance.now();
    const noise =
      kind &&
      this.#flood
        .ask(
          {
            kind: 'noise',
            packets: this.#packets,
            rate: RATE,
            sources: { first: NOISE_FROM, count: kind.sources },
            ports: kind.ports,
          },
          ({ sent }) => this.#progress.step(sent, this.#packets),
        )
        .then(() => performance.now() - start);
    const knocking = this.#honest.ask({
      target: this.#gateway.address,
      knocks,
      payloads,
      port: PORT,
      sources: { first: this.#nextPeople(people), count: people },
      every: this.#quick ? every / 2 : every,
    });
    const [took, answers] = await Promise.all([noise, knocking]);
    const [cpu, come] = [processorTime(pid), await packetsCome(this.#gateway)];
    return {
      user: cpu.user - before.cpu.user,
      system: cpu.system - before.cpu.system,
      softirq: softirqTime() - before.softirq,
      rate: took === undefined ? 0 : (this.#packets / took) * 1000,
      dropped: come.dropped - before.packets.dropped,
      people: answers.people,
      lost: answers.people.filter(({ open }) => !open).length,
      retried: answers.people.filter(({ tries }) => tries > 1).length,
    };
  }

  /** Each knocks from an address that was never used. */
  #nextPeople(count) {
    const first = this.#lastPerson + 1;
    this.#lastPerson += count;
    return personAddress(first);
  }
}

function personAddress(number) {
  return `10.78.${number >> 8}.${number & 255}`;
}
