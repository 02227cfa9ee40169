/** From nothing to ready, and the command line's help, each beside a Node that does nothing. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { at } from '../../lib/checkout.mjs';
import { GatewayProcess } from '../../lib/gateway.mjs';
import { exitCode, Wire } from '../../lib/namespaces.mjs';
import { summary } from '../statistics.mjs';

const CONFIG = 'services: {ssh: [tcp/22], sip: [udp/5060]}';
const MAIN = at('dist', 'main.js');

export const scenario = {
  id: 'start',
  title: 'Cold start and help',
  minutes: 1,
  async run({ quick, progress }) {
    const wire = Wire.create('spstart', ['gateway', 'other']);
    try {
      return await measure(wire, { rounds: quick ? 5 : 20, progress });
    } finally {
      wire.remove();
    }
  },
};

async function measure(wire, { rounds, progress }) {
  const [gateway] = wire.machines;
  const found = { start: [], help: [], floor: [] };
  progress.part('starts, helps and a Node that does nothing, by turns');
  // One of each before anything counts: files come into the cache.
  for (let n = 0; n <= rounds; n++) {
    const daemon = new GatewayProcess(gateway, join(wire.directory, `start${n}`), CONFIG);
    const start = await timed(() => daemon.start());
    await daemon.end();
    const help = await timed(() => runs([MAIN, '--help']));
    const floor = await timed(() => runs(['-e', '0']));
    if (n === 0) continue;
    found.start.push(start);
    found.help.push(help);
    found.floor.push(floor);
    progress.step(n, rounds);
  }
  const { median: start } = summary(found.start);
  const { median: help } = summary(found.help);
  const { median: floor } = summary(found.floor);
  const compared = (value) => `${(value / floor).toFixed(1)} times \`node -e 0\``;
  return {
    figures: [
      {
        id: 'start-cold',
        title: 'Start with an empty state until knocks are answered',
        value: Math.round(start),
        unit: 'ms',
        goal: { most: 1000 },
        compared: compared(start),
      },
      {
        id: 'start-help',
        title: '`sallyport --help`',
        value: Math.round(help),
        unit: 'ms',
        goal: { most: 200 },
        compared: compared(help),
      },
      { id: 'start-floor', title: '`node -e 0`, the floor', value: Math.round(floor), unit: 'ms' },
    ],
    samples: found,
    notes: ['Each start had a state directory of its own and found no rules in the kernel.'],
    plots: [
      {
        id: 'start',
        title: 'Start until ready, help, and a Node that does nothing',
        kind: 'distribution',
        unit: 'ms',
        series: [
          { name: 'start until ready', values: found.start },
          { name: '--help', values: found.help },
          { name: 'node -e 0', values: found.floor },
        ],
      },
    ],
  };
}

async function timed(act) {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

async function runs(args) {
  const code = await exitCode(spawn(process.execPath, args, { stdio: 'ignore' }));
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}`);
}
