import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabBoots } from '../support/lab/boots.js';
import { arming, hasTable, type ListedElement, listSets } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { listTable } from '../support/lab/table.js';
import { unitCommand } from '../support/lab/unit.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
/** Times are told by two clocks, neither of which stands still while the other is read. */
const WITHIN_MS = 1000;

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterAll(() => lab?.destroy());

/** What the kernel holds, and between which two moments it was read. */
async function everything() {
  const from = performance.now();
  const elements = await listSets(lab.gateway);
  const to = performance.now();
  const table = await listTable(lab.gateway);
  const keys = Object.entries(table?.sets ?? {}).map(([set, found]) => [set, found.map(({ key }) => key)]);
  return { from, to, elements, rules: table?.rules, keys, arming: await arming(lab.gateway) };
}

/** Sets of those who are let in for a while, by where and whom. */
const timed = (elements: readonly ListedElement[]) =>
  new Map(
    elements
      .filter(({ set, expires }) => expires !== null && /^(grant|range)_(?!held_)/.test(set))
      .map(({ set, value, comment, expires }) => [`${set} ${value} ${comment}`, expires ?? 0]),
  );

it('after a power cut the boot unit alone puts back the same rules with the same times left, before the network is up', async () => {
  const boots = new LabBoots(lab, 'reboot');
  await boots.start();
  const daemon = lab.daemon({ name: 'reboot', wrap: boots.wrap, config: 'trusted: {addresses: [192.0.2.7]}' });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '30m' });
  await daemon.addUser('bob', { knock: BOB, services: ['sip', 'web'], ttl: '40m' });
  await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
  await lab.phone.knock(lab.gateway.ipv6, steps(BOB));
  await eventually(
    () => daemon.grants(),
    (grants) => grants.length === 2,
  );
  await daemon.json('allow', '10.99.0.0/16', '--for', '2h', '--services', 'web');
  await daemon.json('allow', '10.99.3.0/24', '--for', '3h', '--services', 'web,ssh');
  await daemon.json('allow', '2001:db8:7::/48');
  const before = await everything();
  expect(timed(before.elements).size).toBe(7);

  await boots.restart(daemon);
  await lab.gateway.exec('ip', ['link', 'set', 'eth0', 'down']);
  await lab.gateway.exec('ip', ['link', 'set', 'lo', 'down']);
  expect(await hasTable(lab.gateway)).toBe(false);
  const scratch = join(lab.directory, 'scratch');
  await mkdir(scratch);
  const [file, args] = unitCommand('sallyport-firewall.service', scratch);
  const [outer = '', ...wrap] = boots.wrap;
  const env = { SALLYPORT_CONFIG: daemon.configFile };
  const { code, stdout, stderr } = await lab.gateway.exec(outer, [...wrap, file, ...args], { env });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'The guard is up.\n', stderr: '' });

  const after = await everything();
  expect(after.rules).toBe(before.rules);
  expect(after.keys).toEqual(before.keys);
  expect(after.arming).toBe('for good');
  const was = timed(before.elements);
  const is = timed(after.elements);
  expect([...is.keys()].sort()).toEqual([...was.keys()].sort());
  const wrong = [...is].filter(([element, left]) => {
    const lost = (was.get(element) ?? 0) - left;
    return lost < after.from - before.to - WITHIN_MS || lost > after.to - before.from + WITHIN_MS;
  });
  expect(wrong).toEqual([]);

  await lab.gateway.exec('ip', ['link', 'set', 'lo', 'up']);
  await lab.gateway.exec('ip', ['link', 'set', 'eth0', 'up']);
  const sees = (host: typeof lab.laptop) => host.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
  await eventually(
    () => sees(lab.laptop),
    (verdict) => verdict === 'open',
  );
  expect(await sees(lab.stranger)).toBe('silent');
});
