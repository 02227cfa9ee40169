import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Says } from '../support/dns/server.mjs';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow, LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

/*
 * A machine under lockdown whose whitelist is host names. The phone serves them, over IPv6 at first, and is no more on the
 * whitelist than any stranger; the laptop has the addresses that names move between. All names are looked up every second.
 *
 *   laptop 10.77.0.11 to .19, fd77::11 to ::19 ── bridge ── gateway .1: asks phone .4, ::4
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
const HOME = 'home.example.org';
const OFFICE = 'office.example.org';
const CONFIG = (server: string) => `
services: {ssh: [tcp/22], sip: [udp/5060]}
firewall: {policy: lockdown, guard: [ssh]}
trusted:
  names:
    - {name: ${HOME}, services: [ssh, sip]}
    - {name: ${OFFICE}, services: all}
names: {schedule: '* * * * * *', servers: ["${server}"]}
`;
/** Of services, of none, and inside the local port range. */
const TCP = [22, 8080, 40_022];
const UDP = [5060, 7000, 45_000];

interface Tracked {
  readonly state: string;
  readonly addresses: string[];
}

describe('host names under lockdown', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  const v4 = (n: number) => `10.77.0.${10 + n}`;
  const v6 = (n: number) => `fd77::${10 + n}`;
  const say = (name: string, says: Says) => lab.phone.tell('dnsSet', { name, says });
  const trackedOf = async (name = HOME): Promise<Tracked> => {
    const { body } = await daemon.api<{ entries: { target: string; tracked: Tracked }[] }>('GET', '/v1/access');
    const entry = body.entries.find(({ target }) => target === name);
    if (entry === undefined) throw new Error(`${name} is not listed`);
    return entry.tracked;
  };
  /** Says that a name is these addresses, and waits until it is taken in. */
  const moveTo = async (name: string, ...addresses: string[]) => {
    const of = (isSix: boolean) => addresses.filter((one) => one.includes(':') === isSix);
    await say(name, { A: of(false), AAAA: of(true), ttl: 1 });
    await eventually(
      () => trackedOf(name),
      (one) => one.addresses.join() === addresses.join(),
      10_000,
    );
  };
  const to = (source: string) => (source.includes(':') ? lab.gateway.ipv6 : lab.gateway.ipv4);
  /** The ports, of all that listen, that say anything to an address. */
  const seenFrom = async (source: string, host: LabHost = lab.laptop) => {
    const quick = { source, timeout: 400 };
    const tries = [
      ...TCP.map((port) => host.tcp(to(source), port, quick)),
      ...UDP.map((port) => host.udp(to(source), port, quick)),
    ];
    const ports = [...TCP, ...UDP];
    return (await Promise.all(tries)).flatMap((verdict, i) => (verdict === 'silent' ? [] : [ports[i]]));
  };
  const becomes = (source: string, ports: readonly number[]) =>
    eventually(
      () => seenFrom(source),
      (seen) => seen.join() === ports.join(),
    );
  /** Whether either end of a connection of the laptop's had to send a segment again. */
  const hasLostSegments = async ({ localPort }: Flow) => {
    const ends = [
      await lab.laptop.exec('ss', ['-Htin', `sport = :${localPort}`]),
      await lab.gateway.exec('ss', ['-Htin', `dport = :${localPort}`]),
    ].map(({ stdout }) => stdout);
    for (const shown of ends) expect(shown).toContain('rto:');
    return ends.some((shown) => shown.includes('retrans:'));
  };

  beforeAll(async () => {
    lab = await Lab.create();
    for (let n = 1; n <= 9; n++) {
      await lab.laptop.addAddress(`${v4(n)}/24`);
      await lab.laptop.addAddress(`${v6(n)}/64`);
    }
    await lab.phone.tell('dnsListen', { address: '::' });
    for (const port of TCP) await lab.gateway.tell('listenTcp', { port });
    for (const port of UDP) await lab.gateway.tell('listenUdp', { port });
    await say(HOME, { A: [v4(1)], AAAA: [v6(1)], ttl: 1 });
    // Too long for a datagram: this one is asked for by TCP, too.
    await say(OFFICE, { does: 'truncate', A: [v4(8)], AAAA: [v6(8)], ttl: 1 });
    daemon = lab.daemon({ config: CONFIG(lab.phone.ipv6) });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(() => lab?.destroy());

  it('let their addresses in to what is theirs, by answers that the gateway hears over UDP and TCP', async () => {
    for (const source of [v4(1), v6(1)]) await becomes(source, [22, 5060]);
    for (const source of [v4(8), v6(8)]) await becomes(source, [...TCP, ...UDP]);
  });

  it('open nothing to strangers, nor to the name server', async () => {
    for (const family of FAMILIES) {
      expect(await seenFrom(lab.laptop[family])).toEqual([]);
      expect(await seenFrom(lab.stranger[family], lab.stranger)).toEqual([]);
      expect(await seenFrom(lab.phone[family], lab.phone)).toEqual([]);
    }
  });

  it('that move let the new address in and the old one out, live connections and replies too', async () => {
    const flows: Flow[] = [];
    for (const source of [v4(1), v6(1)]) {
      flows.push(await lab.laptop.hold('tcp', to(source), 22, { source }));
      flows.push(await lab.laptop.hold('udp', to(source), 5060, { source }));
    }
    for (const flow of flows) expect(await flow.ping()).toBe(true);
    await moveTo(HOME, v4(2), v6(2));
    for (const source of [v4(2), v6(2)]) await becomes(source, [22, 5060]);
    for (const source of [v4(1), v6(1)]) await becomes(source, []);
    for (const address of [v4(1), v6(1)]) {
      for (const { localPort } of flows) await lab.gateway.tell('udpSend', { port: 5060, address, toPort: localPort });
    }
    for (const flow of flows) {
      expect(await flow.ping()).toBe(false);
      await flow.release();
    }
    await moveTo(HOME, v4(1), v6(1));
    for (const source of [v4(1), v6(1)]) await becomes(source, [22, 5060]);
  });

  it('that keep an address lose no packet of it, while others come and go', async () => {
    const stays = [v4(1), v6(1)];
    const datagrams: Flow[] = [];
    const streams: Flow[] = [];
    for (const source of stays) {
      datagrams.push(await lab.laptop.hold('udp', to(source), 5060, { source }));
      streams.push(await lab.laptop.hold('tcp', to(source), 22, { source }));
    }
    for (const flow of [...datagrams, ...streams]) expect(await flow.ping()).toBe(true);
    for (const flow of datagrams) await flow.pour();
    for (const other of [3, 4, 3, 5]) {
      await moveTo(HOME, v4(1), v4(other), v6(1), v6(other));
      await moveTo(OFFICE, v4(other + 3), v6(other + 3));
      for (const flow of streams) expect(await flow.ping()).toBe(true);
    }
    for (const flow of datagrams) {
      const { sent, back } = await flow.poured();
      expect(sent).toBeGreaterThan(100);
      expect(back).toBe(sent);
    }
    for (const flow of streams) expect(await hasLostSegments(flow)).toBe(false);
    for (const flow of [...datagrams, ...streams]) await flow.release();
  });

  it('stay in as they were last known while the name server is dead, and through a restart', async () => {
    await moveTo(HOME, v4(1), v6(1));
    const flow = await lab.laptop.hold('tcp', lab.gateway.ipv4, 22, { source: v4(1) });
    expect(await flow.ping()).toBe(true);
    await lab.phone.tell('dnsDie', { isDead: true });
    const isDegraded = () =>
      eventually(
        () => trackedOf(),
        (one) => one.state === 'degraded',
        15_000,
      );
    await isDegraded();
    for (const source of [v4(1), v6(1)]) expect(await seenFrom(source)).toEqual([22, 5060]);
    await daemon.writeConfig(CONFIG(lab.phone.ipv4));
    await daemon.kill('SIGKILL');
    await daemon.launch();
    for (const source of [v4(1), v6(1)]) expect(await seenFrom(source)).toEqual([22, 5060]);
    await isDegraded();
    expect(await flow.ping()).toBe(true);
    expect(await seenFrom(lab.stranger.ipv4, lab.stranger)).toEqual([]);
    await flow.release();
  });

  it('are followed again as soon as it is back, by an answer over IPv4', async () => {
    await lab.phone.tell('dnsDie', { isDead: false });
    await moveTo(HOME, v4(6), v6(6));
    for (const source of [v4(6), v6(6)]) await becomes(source, [22, 5060]);
    for (const source of [v4(1), v6(1)]) await becomes(source, []);
  });
});
