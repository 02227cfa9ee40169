/**
 * A gateway with 50,000 entries, beside one with a single entry: how long it takes until a change of the rules holds with all
 * of them, before and behind it, and what a new connection costs.
 */
import { join } from 'node:path';
import { Wire } from '../../lib/namespaces.mjs';
import { entriesResult } from '../entries-result.mjs';
import { giveSources, startServices, Worker } from '../load/machines.mjs';
import { fill, meta } from '../load/seed.mjs';
import { WatchedGateway } from '../load/watched-gateway.mjs';

const [TCP, UDP] = [22, 5060];
const SERVICES = `services: {ssh: [tcp/${TCP}], sip: [udp/${UDP}]}`;
const LET_IN = '10.64.0.0/14';
/** Sources that connect, spread over all entries, so that no cache holds the whole set. */
const CONNECTING = 500;
const WARMING_UP = 100;

export const scenario = {
  id: 'entries',
  title: '50,000 whitelist entries',
  minutes: 1,
  async run({ quick, progress }) {
    const wire = Wire.create('spentry', ['full', 'one', 'laptop']);
    try {
      return await measure(wire, { quick, progress });
    } finally {
      wire.remove();
    }
  },
};

async function measure(wire, { quick, progress }) {
  const most = quick ? 10_000 : 50_000;
  const rounds = quick ? 1 : 3;
  const [fullMachine, oneMachine, laptop] = wire.machines;
  const gateway = (machine) => new WatchedGateway(machine, join(wire.directory, machine.role), configOf('cut'));
  const [full, one] = [gateway(fullMachine), gateway(oneMachine)];
  await giveSources(laptop, [fullMachine, oneMachine], LET_IN);
  await startServices([fullMachine, oneMachine], { tcp: TCP, udp: UDP });
  await fill(full.stateDirectory, [...entries(most), ...meta(1)]);
  await fill(one.stateDirectory, [...entries(1), ...meta(1)]);
  for (const daemon of [full, one]) await daemon.start();
  const applied = [];
  for (let n = 1; n <= rounds; n++) {
    progress.part(`apply with ${most} entries, round ${n} of ${rounds}`);
    full.configure(configOf(n % 2 === 0 ? 'cut' : 'drain'));
    applied.push(await timed(() => full.api('POST', '/v1/firewall/apply', {})));
    await full.api('POST', '/v1/firewall/confirm', {});
  }
  progress.part('new connections');
  const connector = new Worker(laptop, 'connector.mjs');
  const spread = Array.from({ length: CONNECTING }, (_, n) => entry(Math.floor((n * most) / CONNECTING)));
  const targets = [
    { target: fullMachine.address, sources: spread },
    { target: oneMachine.address, sources: [entry(0)] },
  ];
  const ask = (times) => connector.ask({ targets, tcp: TCP, udp: UDP, times });
  await ask(WARMING_UP);
  const { found } = await ask(quick ? 500 : 2000);
  const oneMore = [];
  for (let n = 0; n < 5; n++) {
    oneMore.push(await timed(() => full.api('POST', '/v1/allow', { target: `172.16.0.${n + 1}`, services: ['all'] })));
  }
  await connector.end();
  for (const daemon of [full, one]) await daemon.end();
  return entriesResult({ applied, connect: { full: found[0], one: found[1] }, oneMore, most });
}

async function timed(act) {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

const configOf = (onExpiry) => `${SERVICES}\nfirewall: {on_expiry: ${onExpiry}}`;

function entries(count) {
  const about = { services: ['all'], note: null, source: 'operator', createdAt: Date.now() };
  return Array.from({ length: count }, (_, n) => ({
    kind: 'entry.put',
    entry: { id: `E${n.toString(16).padStart(8, '0')}`, target: entry(n), ...about },
  }));
}

/** None beside the next, so that none can be joined with another. */
function entry(n) {
  const number = 2 * n;
  return `10.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
