/** The pool as the world sees it: silent for everyone, whatever is sent to it and from whichever address. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { KnockStep, LabHost } from '../support/lab/host.js';
import { addWitness, answersTo, underWay } from '../support/lab/knockers.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { around, FLAGS, packet } from '../support/lab/packets.js';

const FAMILIES = ['ipv4', 'ipv6'] as const;
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const POOL = { first: 21_000, last: 29_999 };

describe('the pool', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'knock: {strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    await addWitness(daemon);
    await daemon.addUser('alice', { knock: ALICE, services: ['all'] });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 25_000 });
    await lab.gateway.tell('listenUdp', { port: 25_000 });
  });

  afterAll(() => lab?.destroy());

  it('is silent for strangers, for entries and for whoever has knocked: no RST, no ICMP, no service behind it', async () => {
    for (const address of [lab.phone.ipv4, lab.phone.ipv6]) await daemon.json('allow', address);
    for (const family of FAMILIES) {
      await lab.laptop.knock(lab.gateway[family], steps(ALICE));
      for (const host of [lab.laptop, lab.phone]) {
        await eventually(
          () => host.tcp(lab.gateway[family], 22),
          (verdict) => verdict === 'open',
        );
      }
    }
    const hosts = [lab.laptop, lab.phone, lab.stranger];
    for (const host of hosts) await host.nft(COUNT_ANSWERS);
    const attempts = hosts.flatMap((host) =>
      FAMILIES.flatMap((family) =>
        [POOL.first, 21_234, 25_000, 28_111, POOL.last].flatMap((port) => [
          host.tcp(lab.gateway[family], port, { timeout: 400 }),
          host.udp(lab.gateway[family], port, { timeout: 400 }),
        ]),
      ),
    );
    expect(new Set(await Promise.all(attempts))).toEqual(new Set(['silent']));
    for (const host of hosts) expect(await answersSeen(host)).toBe(0);
  });

  it.each(FAMILIES)(
    "lets the replies to the gateway's own connections from ports of the pool in, over %s",
    async (family) => {
      await lab.stranger.tell('listenTcp', { port: 9000 + FAMILIES.indexOf(family) });
      await lab.stranger.tell('listenUdp', { port: 9010 + FAMILIES.indexOf(family) });
      const [tcp, udp] = [9000 + FAMILIES.indexOf(family), 9010 + FAMILIES.indexOf(family)];
      expect(await lab.gateway.tcp(lab.stranger[family], tcp, { sourcePort: 21_234 })).toBe('open');
      expect(await lab.gateway.udp(lab.stranger[family], udp, { sourcePort: 28_111 })).toBe('open');
    },
  );

  it.each(FAMILIES)('takes random bytes and odd segments for nothing, and goes on, over %s', async (family) => {
    const many = await lab.manyAddresses(lab.laptop, family === 'ipv4' ? 88 : 89);
    const before = await daemon.events();
    const sources = Array.from({ length: 20 }, (_, i) => many[family](i + 1));
    const sent = Array.from({ length: 6000 }, (_, i) => {
      const source = sources[i % sources.length] ?? '';
      // Ports of the sequence are among them, in no order that opens.
      const port = i % 50 === 0 ? 24_711 : POOL.first + Math.floor(Math.random() * (POOL.last - POOL.first));
      const payload = randomBytes(i % 7 === 0 ? 1400 : 64);
      const common = { source, destination: lab.gateway[family], port, payload };
      if (i % 3 === 0) return packet({ ...common, protocol: 'udp' });
      if (i % 3 === 1) return packet({ ...common, protocol: 'tcp', flags: i & 63 });
      // Cut short, or nonsense behind the ports; these stay, since random ones might be the right ones.
      const ports = Uint8Array.of(0, 80, port >> 8, port & 255);
      return around(
        { ...common, protocol: i % 2 === 0 ? 'tcp' : 'udp' },
        Buffer.concat([ports, randomBytes(12)]).subarray(0, i % 17),
      );
    });
    const heard = await lab.gateway.received();
    await lab.laptop.raw(lab.gateway, sent);
    await eventually(
      () => lab.gateway.received(),
      (count) => count - heard >= sent.length,
    );
    expect(await answersTo(sources, { from: lab.laptop, to: lab.gateway[family], daemon })).toEqual(
      sources.map(() => []),
    );
    expect(await underWay(lab.gateway, family)).toEqual([]);
    const opened = (await daemon.events()).slice(before.length).filter(({ user }) => user !== 'witness');
    expect(opened).toEqual([]);
    const { stdout } = await daemon.cli('status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ ready: true, parts: { firewall: { state: 'guarding' } } });
  });

  it('opens for a TCP knock whatever its flags, since what counts is the port', async () => {
    const source = '10.77.0.99';
    const [a, b, c] = steps(ALICE) as [KnockStep, KnockStep, KnockStep];
    const common = { source, destination: lab.gateway.ipv4 };
    const flagged = [FLAGS.ack, 0, FLAGS.fin | FLAGS.urg].map((flags, i) =>
      packet({ ...common, ...([a, b, c][i] ?? a), flags }),
    );
    await lab.laptop.raw(lab.gateway, flagged);
    await eventually(
      () => daemon.grants(),
      (grants) => grants.some(({ address }) => address === source),
    );
  });

  it('opens for no forged source that may never be let in, and says why', async () => {
    const forged = {
      ipv4: ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', lab.gateway.ipv4],
      ipv6: ['::', '::1', 'ff02::1', lab.gateway.ipv6],
    };
    for (const family of FAMILIES) {
      const packets = forged[family].flatMap((source) =>
        steps(ALICE).map((knock) => packet({ source, destination: lab.gateway[family], ...knock })),
      );
      await lab.laptop.raw(lab.gateway, packets);
    }
    await answersTo([lab.laptop.ipv4], { from: lab.laptop, to: lab.gateway.ipv4, daemon });
    await answersTo([lab.laptop.ipv6], { from: lab.laptop, to: lab.gateway.ipv6, daemon });
    const addresses = (await daemon.grants()).map(({ address }) => address);
    expect(addresses.filter((address) => [...forged.ipv4, ...forged.ipv6].includes(address))).toEqual([]);
    const refused = (await daemon.events()).filter(({ event }) => event === 'attempt.refused');
    // The kernel itself drops what claims to come from ::1 or from a multicast address of IPv6.
    expect(refused.map(({ address, detail }) => `${address} ${detail}`).sort()).toEqual(
      [
        '0.0.0.0 it is the unspecified address',
        '0.1.2.3 it is the unspecified address',
        '127.0.0.1 it is a loopback address',
        '224.0.0.1 it is a multicast address',
        '240.0.0.1 it is a reserved address',
        '255.255.255.255 it is the broadcast address',
        "10.77.0.1 it is the host's own address",
        ':: it is the unspecified address',
        "fd77::1 it is the host's own address",
      ].sort(),
    );
    expect(new Set(refused.map(({ user, method }) => `${user} ${method}`))).toEqual(new Set(['alice knock']));
  });
});

/** Whatever the gateway might answer from the pool. */
const COUNT_ANSWERS = `table inet answers {
  counter seen { }
  chain input {
    type filter hook prerouting priority -500;
    th sport ${POOL.first}-${POOL.last} counter name seen
    icmp type { destination-unreachable, time-exceeded, parameter-problem } counter name seen
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } counter name seen
  }
}`;

async function answersSeen(host: LabHost): Promise<number> {
  const { stdout } = await host.exec('nft', ['list', 'counter', 'inet', 'answers', 'seen']);
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}

function randomBytes(longest: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * longest)));
}
