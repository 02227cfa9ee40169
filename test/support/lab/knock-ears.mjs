/*
 * The gateway's ears without the rest of it, run inside a namespace: from { config, sequence, keep } in one line on standard
 * input it puts up the guard (unless it is to be kept as it is), with a standing order to open `ssh` for the sequence, and tells
 * one object a line on standard output: { ready }, then for each completed knock { source, payload, early, inMailbox },
 * and of what is in the kernel's mailbox whenever a line comes in: { mailbox: [ADDRESS] }. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { parseConfig } from '#dist/config/parse.js';
import { compileSteps } from '#dist/core/knock/automaton.js';
import { parseSequence } from '#dist/core/sequence.js';
import { SystemClock } from '#dist/host/clock.js';
import { guardLayout } from '#dist/layout.js';
import { openSources } from '#dist/sources.js';

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { config: text, sequence, keep } = JSON.parse((await lines.next()).value);
const { config } = parseConfig(text, 'ears.yaml');
const fail = (error) => {
  throw error;
};

const layout = await guardLayout(config);
const sources = await openSources({
  config,
  layout,
  clock: new SystemClock(),
  log: { info() {}, warn() {}, error() {} },
  strikesTold: async () => new Map(),
  onTableChanged: () => undefined,
  onFailed: fail,
});
const { firewall, source } = sources;
if (!keep) {
  const steps = compileSteps([{ sequenceId: 7, sequence: parseSequence(sequence) }]);
  const ranges = { entries: new Map(), grants: new Map() };
  await firewall.load({ shape: { layout, fallback: null }, steps, elements: [], ranges }, { kind: 'permanent' });
}
await source.start({
  onKnocks: async (knocks) => {
    for (const { source: address, payload, early, completion } of knocks) {
      const hex = Buffer.from(payload).toString('hex');
      tell({ source: address, payload: hex, early: early !== null, inMailbox: completion !== null });
    }
  },
  onStruck: () => undefined,
});
sources.order([], [{ id: 1, sequenceId: 7, services: ['ssh'], ttl: null, approval: 'none' }]);
tell({ ready: true });
for await (const _ of { [Symbol.asyncIterator]: () => lines }) {
  tell({ mailbox: (await firewall.readMailbox()).map(({ source: address }) => address) });
}
await sources.stop();
