/** A gateway with 10,000 users beside one with ten: the start, the automaton into the kernel, one more user. */
import { join } from 'node:path';
import { Wire } from '../../lib/namespaces.mjs';
import { monotonic } from '../load/machines.mjs';
import { memory } from '../load/processes.mjs';
import { fill, meta, userChange } from '../load/seed.mjs';
import { WatchedGateway } from '../load/watched-gateway.mjs';
import { summary } from '../statistics.mjs';

const CONFIG = 'services: {sip: [udp/5060]}';
const MANY = 10_000;
const FEW = 10;
/** Ports of the pool apart, so that no two knocks of a sequence are neighbours. */
const PARTS = [21_001, 24_001, 27_001];
const PART = 2900;

export const scenario = {
  id: 'users',
  title: '10,000 users',
  minutes: 1,
  async run({ quick, progress }) {
    const wire = Wire.create('spusers', ['many', 'few']);
    try {
      return await measure(wire, { rounds: quick ? 2 : 5, adding: quick ? 15 : 40, progress });
    } finally {
      wire.remove();
    }
  },
};

async function measure(wire, { rounds, adding, progress }) {
  const [many, few] = wire.machines.map(
    (machine) => new WatchedGateway(machine, join(wire.directory, machine.role), CONFIG),
  );
  progress.part(`${MANY} users`);
  await fill(many.stateDirectory, await usersUpTo(MANY));
  await fill(few.stateDirectory, await usersUpTo(FEW));
  const gateways = { many, few };
  const found = { start: empty(), load: empty(), add: empty() };
  for (let n = 0; n < rounds; n++) {
    progress.part(`start ${n + 1} of ${rounds}`);
    for (const [name, daemon] of inTurn(n, gateways)) {
      // Never confirmed: it takes its guard down when it ends, and each start loads all anew.
      if (n > 0) await daemon.end();
      found.start[name].push(await daemon.start());
    }
  }
  progress.part('loading the automaton');
  for (let n = 0; n < rounds; n++) {
    for (const [name, daemon] of inTurn(n, gateways)) {
      await daemon.api('POST', '/v1/firewall/rollback');
      found.load[name].push(await timed(() => daemon.api('POST', '/v1/firewall/apply')));
    }
  }
  progress.part('adding users');
  const from = monotonic();
  for (let n = 0; n < adding; n++) {
    for (const [name, daemon] of inTurn(n, gateways)) {
      found.add[name].push(await timed(() => daemon.api('POST', '/v1/users', { name: `new${n}` })));
    }
    progress.step(n + 1, adding);
  }
  const hold = many.longestHold(from);
  const held = memory(many.pid);
  for (const { parts, users } of [await many.api('GET', '/v1/status')]) {
    if (users !== MANY + adding || parts.firewall.state !== 'provisional')
      throw new Error('users or rules are missing');
  }
  return result({ ...found, hold, memory: held });
}

function empty() {
  return { many: [], few: [] };
}

function inTurn(n, gateways) {
  const list = Object.entries(gateways);
  return n % 2 === 0 ? list : list.toReversed();
}

async function timed(act) {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

async function usersUpTo(count) {
  const users = Array.from({ length: count }, (_, n) => {
    const turn = Math.floor(n / PART);
    const offsets = [n, n * 7 + turn * 17, n * 13 + turn * 101];
    const ports = PARTS.map((first, part) => first + (offsets[part] % PART));
    const knock = ports.map((port, part) => `${(n + part) % 2 === 0 ? 'tcp' : 'udp'}/${port}`).join(',');
    return userChange({
      id: 2 * n + 1,
      sequenceId: 2 * n + 2,
      name: `user${n}`,
      services: ['sip'],
      knock,
      maxAddresses: 5,
    });
  });
  return [...(await Promise.all(users)), ...meta(2 * count, { confirmed: 'no' })];
}

function result({ start, load, add, hold, memory: held }) {
  const median = (samples) => summary(samples).median;
  const pair = ({ many, few }) => [median(many), median(few)].map(Math.round);
  const figure = (id, title, samples, most) => {
    const [many, few] = pair(samples);
    return { id, title, value: many, unit: 'ms', goal: { most }, compared: `with ${FEW} users: ${few} ms` };
  };
  const [started, startedFew] = pair(start);
  return {
    figures: [
      figure('users-load', 'The guard with the automaton of 10,000 users into the kernel', load, 1000),
      figure('users-add', 'Adding a user to 10,000', add, 50),
      {
        id: 'users-start',
        title: 'Start until ready with 10,000 users',
        value: started,
        unit: 'ms',
        compared: `with ${FEW} users: ${startedFew} ms`,
      },
      {
        id: 'users-hold',
        title: 'Longest time that the event loop was held while users were added',
        value: Math.round(hold.own),
        unit: 'ms',
        compared: `${Math.round(hold.all)} ms with what it waited for a processor`,
      },
      { id: 'users-memory', title: 'Memory of the daemon with 10,000 users', value: Math.round(held.now), unit: 'MB' },
    ],
    samples: { start, load, add, hold, memory: held },
    notes: [
      'Each start found no rules of ours in the kernel and put all of them there. Adding a user is the time of `sallyport user add` at the control socket, three ports drawn: on the disk and in the kernel.',
    ],
    plots: [
      {
        id: 'users-start',
        title: 'Ten users and 10,000',
        kind: 'bars',
        unit: 'ms',
        log: true,
        series: [
          { name: `${FEW} users`, values: [start, load, add].map(({ few }) => median(few)) },
          { name: '10,000 users', values: [start, load, add].map(({ many }) => median(many)) },
        ],
        labels: ['start until ready', 'guard into the kernel', 'one more user'],
      },
    ],
  };
}
