import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow, LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * What becomes of live connections when what let them in is over, under lockdown: with `drain` they go on to their end, with
 * `cut` they end. The laptop has a grant that runs out, the phone one that is revoked, the third address of the laptop an entry
 * that is taken away. Behind the gateway is a machine whose network is routed.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
type Family = (typeof FAMILIES)[number];
const TTL_S = 8;
/** Of a service, of none, and inside the local port range. */
const TCP = [22, 8080, 40_022];
const UDP = [5060, 7000, 45_000];

interface Live {
  readonly name: string;
  readonly flow: Flow;
}

describe.each(['drain', 'cut'] as const)('lockdown with on_expiry: %s', (onExpiry) => {
  let lab: Lab;
  let daemon: LabDaemon;
  let inside: LabHost;
  const live: Live[] = [];
  const entry = { ipv4: '10.77.0.12', ipv6: 'fd77::12' };
  const quick = { timeout: 250 };

  /** Opens one connection to every port, and one of each protocol to the machine behind. */
  const hold = async (who: string, host: LabHost, family: Family, source: string) => {
    for (const [protocol, ports] of [
      ['tcp', TCP],
      ['udp', UDP],
    ] as const) {
      for (const port of ports) {
        const flow = await host.hold(protocol, lab.gateway[family], port, { source });
        live.push({ name: `${who}: ${protocol}/${port} over ${family}`, flow });
      }
      const flow = await host.hold(protocol, inside[family], protocol === 'tcp' ? 8080 : 7000, { source });
      live.push({ name: `${who}: ${protocol} through it over ${family}`, flow });
    }
  };
  const answering = async () => {
    const answers = await Promise.all(live.map(({ flow }) => flow.ping(1000)));
    return live.filter((_, i) => answers[i]).map(({ name }) => name);
  };
  /** What begins anew from there. */
  const newly = (host: LabHost, family: Family, source: string) =>
    Promise.all([
      ...TCP.map((port) => host.tcp(lab.gateway[family], port, { ...quick, source })),
      ...UDP.map((port) => host.udp(lab.gateway[family], port, { ...quick, source })),
      host.tcp(inside[family], 8080, { ...quick, source }),
      host.udp(inside[family], 7000, { ...quick, source }),
    ]);

  beforeAll(async () => {
    lab = await Lab.create();
    const { gateway, laptop, phone } = lab;
    inside = await lab.behind('lan0', { ipv4: '172.18.0.', ipv6: 'fd18::' });
    for (const host of [laptop, phone, lab.stranger]) {
      await host.exec('ip', ['route', 'add', '172.18.0.0/24', 'via', gateway.ipv4]);
      await host.exec('ip', ['route', 'add', 'fd18::/64', 'via', gateway.ipv6]);
    }
    for (const host of [gateway, inside]) {
      for (const port of TCP) await host.tell('listenTcp', { port });
      for (const port of UDP) await host.tell('listenUdp', { port });
    }
    await laptop.addAddress(`${entry.ipv4}/24`);
    await laptop.addAddress(`${entry.ipv6}/64`);
    daemon = lab.daemon({
      config: `firewall: {policy: lockdown, on_expiry: ${onExpiry}, forward: [lan0]}`,
    });
    await daemon.start();
    await daemon.confirm();
    for (const family of FAMILIES) {
      await daemon.api('POST', '/v1/allow', { target: laptop[family], for: `${TTL_S}s` });
      await daemon.api('POST', '/v1/allow', { target: phone[family], for: '1h' });
      await daemon.api('POST', '/v1/allow', { target: entry[family] });
    }
    for (const family of FAMILIES) {
      await hold('runs out', laptop, family, laptop[family]);
      await hold('revoked', phone, family, phone[family]);
      await hold('entry', laptop, family, entry[family]);
    }
    expect(await answering()).toEqual(live.map(({ name }) => name));
    expect(await daemon.grants()).toHaveLength(4);
    for (const family of FAMILIES) {
      for (const what of [phone[family], entry[family]]) {
        expect((await daemon.api('POST', '/v1/revoke', { what, force: true })).status).toBe(200);
      }
    }
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 0,
      15_000,
    );
  });

  afterAll(() => lab?.destroy());

  it('begins nothing anew when what let it in is over', async () => {
    for (const family of FAMILIES) {
      const { laptop, phone, stranger } = lab;
      const verdicts = await Promise.all([
        newly(laptop, family, laptop[family]),
        newly(phone, family, phone[family]),
        newly(laptop, family, entry[family]),
        newly(stranger, family, stranger[family]),
      ]);
      expect(new Set(verdicts.flat())).toEqual(new Set(['silent']));
    }
  });

  it(onExpiry === 'drain' ? 'lets what is established go on' : 'ends what is established', async () => {
    const all = live.map(({ name }) => name);
    if (onExpiry === 'drain') {
      for (let round = 0; round < 3; round++) expect(await answering()).toEqual(all);
    } else {
      await eventually(answering, (names) => names.length === 0);
    }
  });

  it('gives nobody a way in by a connection that is over', async () => {
    const { laptop } = lab;
    for (const { name, flow } of live) if (name.startsWith('runs out')) await flow.release();
    for (const family of FAMILIES) {
      expect(new Set(await newly(laptop, family, laptop[family]))).toEqual(new Set(['silent']));
    }
  });

  it(`${onExpiry === 'drain' ? 'takes' : 'does not take'} what comes back for what the machine itself begins`, async () => {
    const { laptop, gateway } = lab;
    for (const family of FAMILIES) {
      const flow = await laptop.hold('udp', gateway[family], 7000, { source: laptop[family] });
      expect(await flow.ping()).toBe(false);
      await gateway.tell('udpSend', { port: 7000, address: laptop[family], toPort: flow.localPort });
      await eventually(
        () => flow.received(),
        (count) => count > 0,
      );
      expect(await flow.ping()).toBe(onExpiry === 'drain');
      await flow.release();
    }
  });
});
