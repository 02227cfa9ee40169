import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Says } from '../support/dns/server.mjs';
import type { LabDaemon } from '../support/lab/daemon.js';
import { listSets } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * One name gives sixteen other addresses of each family every second; another, beside it, is the laptop. A day of it is
 * simulated in test/unit/names-restless.test.ts; here the kernel and the journal are seen to be bounded.
 */
const RESTLESS = 'restless.example.org';
const HOME = 'home.example.org';
const MOST = 256;

describe('a name that gives other addresses every second', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  const say = (name: string, says: Says) => lab.phone.tell('dnsSet', { name, says });
  const asked = () => lab.phone.tell<number>('dnsAsked', { name: RESTLESS });
  const listed = async (name: string) => {
    const { body } = await daemon.api<{
      entries: { target: string; tracked: { state: string; detail: string | null; addresses: string[] } }[];
    }>('GET', '/v1/access');
    return body.entries.find(({ target }) => target === name)?.tracked;
  };
  const sees = (source: string) => lab.laptop.tcp(lab.gateway.ipv4, 22, { source, timeout: 250 });

  beforeAll(async () => {
    lab = await Lab.create();
    await lab.laptop.addAddress('10.77.0.11/24');
    await lab.phone.tell('dnsListen', { address: '::' });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await say(RESTLESS, { does: 'random', count: 16, ttl: 1 });
    await say(HOME, { A: [lab.laptop.ipv4], ttl: 1 });
    const names = [RESTLESS, HOME].map((name) => `{name: ${name}, services: [ssh]}`).join(', ');
    daemon = lab.daemon({
      config: `
firewall: {policy: lockdown}
trusted: {names: [${names}]}
names: {schedule: '* * * * * *', servers: [${lab.phone.ipv4}]}
`,
    });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(() => lab?.destroy());

  it('is said to be at fault, by name and in numbers', async () => {
    const shown = await eventually(
      () => listed(RESTLESS),
      (one) => one?.state === 'degraded' && /A: .*; AAAA: /.test(one.detail ?? ''),
      60_000,
    );
    expect(shown?.detail).toContain(
      `A: it has had ${MOST} addresses within a day; of those that are new none is let in`,
    );
    expect(shown?.addresses).toHaveLength(32);
    const { body } = await daemon.api<{ parts: { names: object } }>('GET', '/v1/status');
    expect(body.parts.names).toMatchObject({ state: 'degraded', detail: expect.stringContaining(RESTLESS) });
    expect((await daemon.cli('list')).stdout).toContain('degraded');
  });

  it('brings no more, however long it goes on, to the kernel and to the journal', async () => {
    const look = async () => {
      const sets = await listSets(lab.gateway);
      const many = (set: string) => sets.filter((one) => one.set === set).length;
      const rules = await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'entry_ssh_4']);
      const tracked = await listed(RESTLESS);
      return {
        held: [many('grant_held_4'), many('grant_held_6')],
        entries: rules.stdout,
        addresses: tracked?.addresses,
        events: (await daemon.events()).length,
      };
    };
    const before = await look();
    for (const count of before.held) expect(count).toBeLessThanOrEqual(MOST);
    expect(before.events).toBeLessThan(100);
    const from = await asked();
    await eventually(asked, (now) => now >= from + 20, 30_000);
    expect(await look()).toEqual(before);
  });

  it('holds up no other name, and cuts nobody off', async () => {
    const flow = await lab.laptop.hold('tcp', lab.gateway.ipv4, 22, { source: lab.laptop.ipv4 });
    expect(await flow.ping()).toBe(true);
    await say(HOME, { A: [lab.laptop.ipv4, '10.77.0.11'], ttl: 1 });
    await eventually(
      () => sees('10.77.0.11'),
      (verdict) => verdict === 'open',
      10_000,
    );
    expect(await flow.ping()).toBe(true);
    await flow.release();
  });

  it('is followed again where it goes back to what it has had', async () => {
    const [first = ''] = (await listed(RESTLESS))?.addresses ?? [];
    await say(RESTLESS, { A: [first], ttl: 1 });
    const before = await asked();
    await eventually(asked, (now) => now >= before + 4, 10_000);
    expect((await listed(RESTLESS))?.addresses).toContain(first);
    expect((await listed(RESTLESS))?.state).toBe('degraded');
  });
});
