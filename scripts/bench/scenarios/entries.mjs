/**
 * A whitelist of 50,000 entries, applied from the configuration to a gateway that runs, beside a gateway with a single
 * entry: how long it takes until it holds, and what a new connection costs then.
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
  const gateway = (machine) => new WatchedGateway(machine, join(wire.directory, machine.role), configOf(1));
  const [full, one] = [gateway(fullMachine), gateway(oneMachine)];
  await giveSources(laptop, [fullMachine, oneMachine], LET_IN);
  await startServices([fullMachine, oneMachine], { tcp: TCP, udp: UDP });
  for (const daemon of [full, one]) {
    await fill(daemon.stateDirectory, meta(1));
    await daemon.start();
  }
  const applied = [];
  for (let n = 1; n <= rounds; n++) {
    progress.part(`apply ${most} entries, round ${n} of ${rounds}`);
    full.configure(configOf(most));
    applied.push(await timed(() => full.api('POST', '/v1/firewall/apply', {})));
    await full.api('POST', '/v1/firewall/confirm', {});
    if (n === rounds) break;
    full.configure(configOf(1));
    await full.api('POST', '/v1/firewall/apply', {});
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

function configOf(count) {
  const lines = Array.from({ length: count }, (_, n) => `    - {address: ${entry(n)}, services: all}`);
  return `${SERVICES}\ntrusted:\n  addresses:\n${lines.join('\n')}`;
}

/** None beside the next, so that none can be joined with another. */
function entry(n) {
  const number = 2 * n;
  return `10.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
