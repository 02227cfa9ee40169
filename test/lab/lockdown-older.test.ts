import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Flow } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * Connections that are older than lockdown: those of the machine itself go on, those of strangers do not. Where conntrack came
 * with the guard, it takes whoever speaks first for the one who began.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;

describe.each([
  ['came with the guard', ''],
  ['was there before', 'table inet early { chain c { type filter hook input priority 0; ct state new accept; }; }'],
])('connections older than lockdown, where conntrack %s', (_, rules) => {
  let lab: Lab;
  const own: { name: string; flow: Flow; speaks: boolean }[] = [];
  const inbound: { name: string; flow: Flow; speaks: boolean }[] = [];

  beforeAll(async () => {
    lab = await Lab.create();
    const { gateway, stranger } = lab;
    if (rules !== '') await gateway.nft(rules);
    for (const host of [gateway, stranger]) {
      await host.tell('listenTcp', { port: 80 });
      await host.tell('listenTcp', { port: 8080, talk: true });
      await host.tell('listenUdp', { port: 53 });
    }
    for (const family of FAMILIES) {
      for (const [protocol, port] of [
        ['tcp', 80],
        ['tcp', 8080],
        ['udp', 53],
      ] as const) {
        const name = `${protocol}/${port} over ${family}`;
        own.push({ name, flow: await gateway.hold(protocol, stranger[family], port), speaks: port !== 8080 });
        inbound.push({ name, flow: await stranger.hold(protocol, gateway[family], port), speaks: port !== 8080 });
      }
    }
    for (const { name, flow, speaks } of [...own, ...inbound]) if (speaks) expect(await flow.ping(), name).toBe(true);
    const daemon = lab.daemon({ config: 'firewall: {policy: lockdown}' });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(() => lab?.destroy());

  it('are cut where they are a stranger’s', async () => {
    const up = Date.now();
    const lasts = await Promise.all(
      inbound.map(({ flow, speaks }) => flow.pulse({ every: speaks ? 20 : 0, limit: 4000 })),
    );
    const alive = inbound.filter((__, i) => (lasts[i] ?? 0) > up + 1500);
    expect(alive.map(({ name }) => name)).toEqual([]);
  });

  it('go on where they are the machine’s own, also where only the other side speaks', async () => {
    for (const { name, flow, speaks } of own) {
      if (speaks) expect(await flow.ping(2000), name).toBe(true);
      const before = await flow.received();
      if (!speaks) {
        await eventually(
          () => flow.received(),
          (now) => now > before,
        );
      }
    }
  });
});
