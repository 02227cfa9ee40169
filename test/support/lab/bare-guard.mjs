/*
 * The guard in a kernel without a daemon, run inside a namespace: `load` puts it up from { layout, sequences } on standard
 * input, `read` tells what its automaton holds as { completed: ["ADDRESS ID"], underWay: [ADDRESS], ignored: [TARGET] }.
 */
import { text } from 'node:stream/consumers';
import { compileSteps } from '#dist/core/knock/automaton.js';
import { parseSequence } from '#dist/core/sequence.js';
import { NftablesFirewall } from '#dist/firewall/nftables-firewall.js';
import { SystemClock } from '#dist/host/clock.js';

const [action, directory] = process.argv.slice(2);
const { layout, sequences } = JSON.parse(await text(process.stdin));
const clock = new SystemClock();
const shape = { layout: { ...layout, guarded: new Map() }, fallback: null };
const firewall = new NftablesFirewall({
  shape,
  clock,
  directory,
  link: null,
});
if (action === 'load') {
  const steps = compileSteps(sequences.map((one, i) => ({ sequenceId: i + 1, sequence: parseSequence(one) })));
  const ranges = { entries: new Map(), grants: new Map() };
  await firewall.load({ shape, steps, elements: [], ranges }, { kind: 'permanent' });
} else {
  const completed = (await firewall.readMailbox()).map(({ source, state }) => `${source} ${state - 0x8000_0000}`);
  const ignored = (await firewall.readIgnored()).map(({ target }) => target);
  process.stdout.write(JSON.stringify({ completed, ignored }));
}
