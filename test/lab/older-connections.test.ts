import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow, LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * Connections that are older than the guard. Where conntrack came with the guard, it takes whoever speaks first for the one who
 * began: a stranger's session in which the server speaks looks like one that the host itself began.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;

const CONFIG = `
services:
  ssh: [tcp/22, tcp/40022]
  sip: [udp/5060]
  web: [tcp/80, tcp/50080]
trusted:
  addresses:
    - {address: 10.77.0.4, services: all}
    - {address: "fd77::4", services: all}
`;

/** Ports inside the range of the host's own connections too: replies to those have to pass there. */
const TCP_ECHO = [22, 40022];
const TCP_TALK = [80, 50080];

describe.each([
  ['came with the guard', ''],
  ['was there before', 'table inet early { chain c { type filter hook input priority 0; ct state new accept; }; }'],
])('connections older than the guard, where conntrack %s', (_, rules) => {
  let lab: Lab;
  let daemon: LabDaemon;
  const flows: { name: string; host: LabHost; flow: Flow; every: number }[] = [];
  const of = (host: LabHost) => flows.filter((one) => one.host === host);
  const hears = async ({ flow, every }: { flow: Flow; every: number }) => {
    if (every > 0) return await flow.ping();
    const before = await flow.received();
    return await eventually(
      () => flow.received(),
      (now) => now > before,
      500,
    ).then(
      () => true,
      () => false,
    );
  };

  beforeAll(async () => {
    lab = await Lab.create();
    if (rules !== '') expect((await lab.gateway.exec('nft', ['-f', '-'], { input: rules })).code).toBe(0);
    for (const port of TCP_ECHO) await lab.gateway.tell('listenTcp', { port });
    for (const port of TCP_TALK) await lab.gateway.tell('listenTcp', { port, talk: true });
    await lab.gateway.tell('listenUdp', { port: 5060 });
    await lab.laptop.tell('listenTcp', { port: 7777, talk: true });
    for (const host of [lab.stranger, lab.phone]) {
      for (const family of FAMILIES) {
        const hold = async (protocol: 'tcp' | 'udp', port: number, every: number) => {
          const flow = await host.hold(protocol, lab.gateway[family], port);
          flows.push({ name: `${protocol}/${port} over ${family}`, host, flow, every });
        };
        for (const port of TCP_ECHO) await hold('tcp', port, 20);
        for (const port of TCP_TALK) await hold('tcp', port, 0);
        await hold('udp', 5060, 20);
      }
    }
    for (const one of flows) expect(await hears(one), one.name).toBe(true);
    daemon = lab.daemon({ config: CONFIG });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(() => lab?.destroy());

  it('are cut where they are a stranger’s, also where the server speaks', async () => {
    const up = Date.now();
    const lasts = await Promise.all(of(lab.stranger).map(({ flow, every }) => flow.pulse({ every, limit: 5000 })));
    const alive = of(lab.stranger).filter((__, i) => (lasts[i] ?? 0) > up + 1500);
    expect(alive.map(({ name }) => name)).toEqual([]);
  });

  it('go on where they are an entry’s', async () => {
    for (const one of of(lab.phone)) expect(await hears(one), one.name).toBe(true);
  });
});
