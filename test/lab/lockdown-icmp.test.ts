import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Flow, LabHost } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { icmp, packet } from '../support/lab/packets.js';
import { peerProgram } from '../support/peers.js';

/*
 * ICMP under lockdown: what forged messages reach, and what works that IP does not work without.
 *
 *   stranger (forges) ┐
 *                     ├── bridge that snoops on multicast ── gateway (lockdown)
 *   far ── laptop ────┘
 *          └ 1300 bytes at most
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
type Family = (typeof FAMILIES)[number];
/** The far ends of connections of the gateway's own. */
const SERVED = { tcp: 443, udp: 5353 } as const;

/** What is let in at the gateway of ICMP, as the input hook sees it behind the guard, and at the stranger of anything that the gateway says. */
const counts = (mac: string) => `
table inet counts {
  counter errors { }
  counter queries { }
  counter any { }
  chain c {
    type filter hook input priority 100; policy accept;
    icmp type { destination-unreachable, source-quench, redirect, time-exceeded, parameter-problem } counter name errors
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-redirect } counter name errors
    icmpv6 type mld-listener-query counter name queries
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-query, mld2-listener-report } accept
    ether saddr ${mac} counter name any
  }
}
`;

const ERRORS: Readonly<Record<Family, readonly { name: string; type: number; code: number; rest?: number }[]>> = {
  ipv4: [
    { name: 'port unreachable', type: 3, code: 3 },
    { name: 'administratively prohibited', type: 3, code: 13 },
    { name: 'fragmentation needed', type: 3, code: 4, rest: 600 },
    { name: 'source quench', type: 4, code: 0 },
    { name: 'redirect', type: 5, code: 1, rest: 0x0a4d_0003 },
    { name: 'time exceeded', type: 11, code: 0 },
    { name: 'parameter problem', type: 12, code: 0 },
  ],
  ipv6: [
    { name: 'port unreachable', type: 1, code: 4 },
    { name: 'administratively prohibited', type: 1, code: 1 },
    { name: 'packet too big', type: 2, code: 0, rest: 1280 },
    { name: 'time exceeded', type: 3, code: 0 },
    { name: 'parameter problem', type: 4, code: 1 },
  ],
};

describe('ICMP under lockdown', () => {
  let lab: Lab;
  let far: LabHost;
  const own: Flow[] = [];

  const count = async (host: LabHost, counter: string) => {
    const { stdout } = await host.exec('nft', ['list', 'counter', 'inet', 'counts', counter]);
    return Number(/packets (\d+)/.exec(stdout)?.[1]);
  };
  const routeTo = async (address: string) => (await lab.gateway.exec('ip', ['route', 'get', address])).stdout;
  const ping = async (from: LabHost, address: string, ...args: string[]) => {
    const program = peerProgram('bin/ping');
    if (program.path === undefined) throw new Error(program.reason);
    const options = ['-n', '-c', '1', '-W', '1', ...args, address];
    return (await from.exec(program.path, options, { env: program.env })).stdout;
  };
  /** Sets what goes through between the laptop and the far machine. */
  const narrow = async (mtu: string) => {
    await far.exec('ip', ['link', 'set', 'eth0', 'mtu', mtu]);
    await lab.laptop.exec('ip', ['link', 'set', 'far', 'mtu', mtu]);
  };
  const linkLocalOf = async (host: LabHost) => {
    const { stdout } = await host.exec('ip', ['-6', 'address', 'show', 'dev', 'eth0', 'scope', 'link']);
    const address = /inet6 (\S+)\//.exec(stdout)?.[1];
    if (address === undefined) throw new Error(`no link-local address: ${stdout}`);
    return address;
  };
  /** Everything that was sent before has come. */
  const settled = async (from: LabHost) => {
    const before = await count(lab.gateway, 'errors');
    await eventually(
      () => lab.gateway.tcp(from.ipv4, SERVED.tcp),
      (verdict) => verdict === 'open',
    );
    return (await count(lab.gateway, 'errors')) - before;
  };

  beforeAll(async () => {
    lab = await Lab.create();
    const { gateway, laptop, stranger } = lab;
    far = await lab.behind('far', { ipv4: '172.20.0.', ipv6: 'fd20::' }, laptop);
    await gateway.exec('ip', ['route', 'add', '172.20.0.0/24', 'via', laptop.ipv4]);
    await gateway.exec('ip', ['route', 'add', 'fd20::/64', 'via', laptop.ipv6]);
    for (const host of [laptop, stranger, far]) {
      await host.tell('listenTcp', { port: SERVED.tcp });
      await host.tell('listenUdp', { port: SERVED.udp });
    }
    await gateway.tell('listenTcp', { port: 8080 });
    const link = await gateway.exec('cat', ['/sys/class/net/eth0/address']);
    for (const host of [gateway, stranger]) await host.nft(counts(link.stdout.trim()));
    const daemon = lab.daemon({ config: 'firewall: {policy: lockdown}' });
    await daemon.start();
    await daemon.confirm();
    await daemon.api('POST', '/v1/allow', { target: far.ipv4 });
    await daemon.api('POST', '/v1/allow', { target: far.ipv6 });
    for (const family of FAMILIES) {
      own.push(await gateway.hold('tcp', laptop[family], SERVED.tcp));
      own.push(await gateway.hold('udp', laptop[family], SERVED.udp));
    }
    for (const flow of own) expect(await flow.ping()).toBe(true);
  });

  afterAll(() => lab?.destroy());

  it.each(FAMILIES)(
    'errors about what the gateway has not sent get no further than the guard, over %s',
    async (family) => {
      const { gateway, laptop, stranger } = lab;
      const [reached, heard] = [await count(gateway, 'errors'), await count(stranger, 'any')];
      const ends = { source: gateway[family], destination: laptop[family] };
      const live = own[family === 'ipv4' ? 0 : 2]?.localPort ?? 0;
      const quoted = [
        // Ports that nobody speaks from; a live connection but for one port; one that a stranger would like there to be.
        packet({ ...ends, protocol: 'tcp', port: SERVED.tcp, sourcePort: live === 40_000 ? 40_001 : 40_000 }),
        packet({ ...ends, protocol: 'tcp', port: SERVED.tcp + 1, sourcePort: live }),
        packet({ ...ends, protocol: 'udp', port: SERVED.udp, sourcePort: live }),
        packet({ ...ends, destination: stranger[family], protocol: 'udp', port: 53, sourcePort: 5353 }),
        // What only the other side may have sent, an echo that was never asked for, and a quotation that breaks off.
        packet({ source: laptop[family], destination: stranger[family], protocol: 'tcp', port: 22, sourcePort: live }),
        icmp({ ...ends, type: family === 'ipv4' ? 8 : 128, rest: 0x1234_0001 }),
        packet({ ...ends, protocol: 'tcp', port: SERVED.tcp, sourcePort: live }).slice(0, family === 'ipv4' ? 40 : 80),
        '',
      ];
      const packets = ERRORS[family].flatMap(({ name: _, ...error }) =>
        quoted.map((hex) =>
          icmp({
            source: stranger[family],
            destination: gateway[family],
            ...error,
            payload: Buffer.from(hex, 'hex'),
            hopLimit: 255,
          }),
        ),
      );
      await stranger.raw(gateway, packets, 5);
      expect(await settled(laptop)).toBe(0);
      expect(await count(gateway, 'errors')).toBe(reached);
      expect(await count(stranger, 'any')).toBe(heard);
      for (const address of [laptop[family], stranger[family]]) expect(await routeTo(address)).not.toContain('mtu');
      for (const flow of own) expect(await flow.ping()).toBe(true);
    },
  );

  it.each(FAMILIES)('an error about a connection of its own comes in, and is the only one, over %s', async (family) => {
    const { gateway, laptop } = lab;
    const before = await count(gateway, 'errors');
    expect(await gateway.udp(laptop[family], 9)).toBe('silent');
    await eventually(
      () => count(gateway, 'errors'),
      (now) => now === before + 1,
    );
  });

  it.each(FAMILIES)(
    'path MTU discovery works, for connections of its own and of those let in, over %s',
    async (family) => {
      const { gateway } = lab;
      const bytes = 20_000;
      const ours = await gateway.hold('tcp', far[family], SERVED.tcp);
      const theirs = await far.hold('tcp', gateway[family], 8080);
      expect(await ours.ping(2000, bytes)).toBe(true);
      const before = await count(gateway, 'errors');
      await narrow('1300');
      expect(await theirs.ping(5000, bytes)).toBe(true);
      expect(await ours.ping(5000, bytes)).toBe(true);
      expect(await count(gateway, 'errors')).toBeGreaterThan(before);
      expect(await routeTo(far[family])).toContain('mtu 1300');
      await narrow('1500');
    },
  );

  it('echo requests are answered to nobody on the link, not to all of it either, and to whom everything is open', async () => {
    const { gateway, stranger } = lab;
    const heard = await count(stranger, 'any');
    for (const family of FAMILIES) expect(await ping(stranger, gateway[family])).toContain(' 0 received');
    expect(await ping(stranger, `${await linkLocalOf(gateway)}%eth0`)).toContain(' 0 received');
    expect(await ping(stranger, 'ff02::1%eth0', '-c', '2')).toContain(' 2 received');
    await ping(stranger, '10.77.0.255', '-b');
    expect(await count(stranger, 'any')).toBe(heard);
    for (const family of FAMILIES) expect(await ping(far, gateway[family])).toContain(' 1 received');
  });

  it('neighbours are found anew, in both directions, by solicitations that come from the link alone', async () => {
    const { gateway, phone } = lab;
    for (const host of [gateway, phone]) await host.exec('ip', ['-6', 'neighbour', 'flush', 'dev', 'eth0']);
    await phone.tcp(gateway.ipv6, 8080, { timeout: 250 });
    const known = async (host: LabHost, address: string) =>
      (await host.exec('ip', ['-6', 'neighbour', 'show', address, 'dev', 'eth0'])).stdout;
    expect(await known(phone, gateway.ipv6)).toContain('lladdr');
    await gateway.exec('ip', ['-6', 'neighbour', 'flush', 'dev', 'eth0']);
    await gateway.udp(phone.ipv6, 9, { timeout: 250 });
    expect(await known(gateway, phone.ipv6)).toContain('lladdr');
  });

  it('a router of the link is heard, and one from beyond it is not', async () => {
    const { gateway, phone } = lab;
    const advertise = async (prefix: string, source: string, hopLimit: number) => {
      // RFC 4861, 4.2 and 4.6.2: a prefix to make addresses of, for an hour.
      const option = Buffer.alloc(40);
      option.set([3, 4, 64, 0xc0], 8);
      option.writeUInt32BE(3600, 12);
      option.writeUInt32BE(3600, 16);
      option.set(Buffer.from(prefix, 'hex'), 24);
      const destination = await linkLocalOf(gateway);
      await phone.raw(gateway, [icmp({ source, destination, type: 134, rest: 0, payload: option, hopLimit })]);
    };
    const addresses = async () => (await gateway.exec('ip', ['-6', 'address', 'show', 'dev', 'eth0'])).stdout;
    await gateway.exec('sysctl', ['-qw', 'net.ipv6.conf.eth0.accept_ra=2']);
    const source = await linkLocalOf(phone);
    await advertise('fd97', source, 64);
    await advertise('fd98', lab.stranger.ipv6, 255);
    await advertise('fd99', source, 255);
    await eventually(addresses, (shown) => shown.includes('fd99:'));
    expect(await addresses()).not.toMatch(/fd97:|fd98:/);
  });

  it('multicast groups stay joined at a bridge that asks who is in them', async () => {
    const { gateway } = lab;
    await gateway.tell('join', { group: 'ff15::864', device: 'eth0' });
    await lab.snoop();
    const isJoined = async () =>
      (await lab.groups()).some((one) => one.includes('port p0') && one.includes('ff15::864'));
    await eventually(isJoined, (is) => is, 10_000);
    // One a second, and whoever does not answer for three is no more in the group.
    const before = await count(gateway, 'queries');
    await eventually(
      () => count(gateway, 'queries'),
      (now) => now >= before + 8,
      20_000,
    );
    expect(await isJoined()).toBe(true);
  });
});
