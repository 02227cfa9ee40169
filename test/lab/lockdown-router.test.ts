import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow, LabHost } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { peerProgram } from '../support/peers.js';

/*
 * A router under lockdown, with a container whose ports are published and masqueraded as Docker does it, a network behind it that
 * is routed without any translation, and a third one that is not named in firewall.forward.
 *
 *                                                      ┌ docker0  container  172.17.0.2  fd17::2
 *   far ── laptop, stranger, phone ── eth0  gateway ───┼ lan0     inside     172.18.0.2  fd18::2
 *                                                      └ guests   guest      172.19.0.2  fd19::2
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const SIP = 5060;
const CONFIG = `
services: {sip: [udp/5060], web: [tcp/80]}
firewall: {policy: lockdown, forward: ["docker*", lan0]}
`;

/** tcp/80 leads to another port, 8081 is answered here, 8443 comes for any address. */
const NAT = `
table ip nat {
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 8443 dnat to 172.17.0.2:8080
    fib daddr type local tcp dport 80 dnat to 172.17.0.2:8080
    fib daddr type local tcp dport 9090 dnat to 172.17.0.2:8080
    fib daddr type local udp dport 5060 dnat to 172.17.0.2
  }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/24 oifname "eth0" masquerade; }
}
table ip6 nat {
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 8443 dnat to [fd17::2]:8080
    fib daddr type local tcp dport 80 dnat to [fd17::2]:8080
    fib daddr type local tcp dport 9090 dnat to [fd17::2]:8080
    fib daddr type local udp dport 5060 dnat to fd17::2
  }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip6 saddr fd17::/64 oifname "eth0" masquerade; }
}
`;
const REDIRECT = `
table inet own {
  chain c {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 80 redirect to :8081
  }
}
`;

describe('a router under lockdown', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let container: LabHost;
  let inside: LabHost;
  let guest: LabHost;
  let far: LabHost;
  const quick = { timeout: 250 };
  const all = async (verdicts: readonly Promise<string>[]) => [...new Set(await Promise.all(verdicts))];
  const ping = async (from: LabHost, address: string, ...args: string[]) => {
    const program = peerProgram('bin/ping');
    if (program.path === undefined) throw new Error(program.reason);
    const options = ['-n', '-c', '1', '-W', '1', ...args, address];
    return (await from.exec(program.path, options, { env: program.env })).stdout;
  };

  beforeAll(async () => {
    lab = await Lab.create();
    container = await lab.behind('docker0', { ipv4: '172.17.0.', ipv6: 'fd17::' });
    inside = await lab.behind('lan0', { ipv4: '172.18.0.', ipv6: 'fd18::' });
    guest = await lab.behind('guests', { ipv4: '172.19.0.', ipv6: 'fd19::' });
    far = await lab.behind('far', { ipv4: '172.20.0.', ipv6: 'fd20::' }, lab.laptop);
    await lab.gateway.nft(NAT);
    const route = (host: LabHost, network: string, via: string) =>
      host.exec('ip', ['route', 'add', network, 'via', via]);
    for (const host of [lab.stranger, lab.phone]) {
      for (const n of [17, 18, 19]) {
        await route(host, `172.${n}.0.0/24`, lab.gateway.ipv4);
        await route(host, `fd${n}::/64`, lab.gateway.ipv6);
      }
    }
    await route(lab.gateway, '172.20.0.0/24', lab.laptop.ipv4);
    await route(lab.gateway, 'fd20::/64', lab.laptop.ipv6);
    for (const host of [container, inside, guest]) {
      for (const port of [80, 8080]) await host.tell('listenTcp', { port });
      await host.tell('listenUdp', { port: SIP });
    }
    await lab.gateway.tell('listenTcp', { port: 8081 });
    await lab.stranger.tell('listenTcp', { port: 443 });
    await lab.stranger.tell('listenUdp', { port: SIP });
    for (const family of FAMILIES) {
      for (const host of [container, inside, guest]) {
        await eventually(
          () => lab.stranger.tcp(host[family], 8080),
          (verdict) => verdict === 'open',
        );
      }
    }
    daemon = lab.daemon({ config: CONFIG });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['web', 'sip'], ttl: '1h' });
  });

  afterAll(() => lab?.destroy());

  it.each(FAMILIES)('lets no stranger through to any machine behind it, over %s', async (family) => {
    const { stranger, gateway } = lab;
    const tries = [container, inside, guest].flatMap((host) => [
      stranger.tcp(host[family], 8080, quick),
      // A translation that asks for no address of the gateway's own.
      stranger.tcp(host[family], 8443, quick),
      stranger.udp(host[family], SIP, quick),
    ]);
    for (const port of [80, 9090, 8443, 8081]) tries.push(stranger.tcp(gateway[family], port, quick));
    tries.push(stranger.udp(gateway[family], SIP, quick));
    const pings = [container, inside, guest].map((host) => ping(stranger, host[family]));
    expect(await all(tries)).toEqual(['silent']);
    for (const said of await Promise.all(pings)) expect(said).toContain(' 0 received');
    for (const host of [container, inside, guest]) {
      expect(await host.tell('udpSeen', { port: SIP, from: stranger[family] })).toBe(0);
    }
  });

  it.each(FAMILIES)(
    'lets what the networks of firewall.forward begin out, and its answers in, over %s',
    async (family) => {
      const { stranger } = lab;
      for (const host of [container, inside]) {
        expect(await host.tcp(stranger[family], 443)).toBe('open');
        expect(await host.tcp(stranger[family], 9)).toBe('refused');
        // From ports inside and outside of the local port range.
        for (const sourcePort of [0, 7001, 61_500])
          expect(await host.udp(stranger[family], SIP, { sourcePort })).toBe('open');
        for (const sourcePort of [7001, 61_500])
          expect(await host.tcp(stranger[family], 443, { sourcePort })).toBe('open');
        expect(await ping(host, stranger[family])).toContain(' 1 received');
      }
      expect(await inside.tcp(container[family], 8080)).toBe('open');
      expect(await all([guest.tcp(stranger[family], 443, quick), guest.tcp(inside[family], 8080, quick)])).toEqual([
        'silent',
      ]);
    },
  );

  it.each(FAMILIES)('lets a knock through to the published ports of its services alone, over %s', async (family) => {
    const { laptop, gateway } = lab;
    await laptop.knock(gateway[family], steps(ALICE));
    await eventually(
      () => laptop.tcp(gateway[family], 80, quick),
      (verdict) => verdict === 'open',
    );
    expect(await laptop.udp(gateway[family], SIP)).toBe('open');
    expect(await all([9090, 8443, 8081].map((port) => laptop.tcp(gateway[family], port, quick)))).toEqual(['silent']);
  });

  it('lets a grant for all through to everything, and cuts it in time', async () => {
    const { phone, gateway } = lab;
    const flows: Flow[] = [];
    for (const family of FAMILIES) {
      await daemon.json('allow', phone[family], '--for', '4s');
      for (const port of [80, 9090, 8443, 8081]) expect(await phone.tcp(gateway[family], port)).toBe('open');
      flows.push(await phone.hold('tcp', gateway[family], 9090), await phone.hold('udp', gateway[family], SIP));
      for (const host of [inside, guest]) {
        expect(await phone.udp(host[family], SIP)).toBe('open');
        flows.push(await phone.hold('tcp', host[family], 8080));
      }
    }
    const ends = (await daemon.grants()).map(({ expires_at }) => Date.parse(expires_at));
    for (const last of await Promise.all(flows.map((flow) => flow.pulse()))) {
      expect(last).toBeGreaterThan(Math.min(...ends) - 1000);
      expect(last).toBeLessThan(Math.max(...ends) + 1500);
    }
  });

  it('judges what is redirected to a port of its own by the port that was addressed', async () => {
    await lab.gateway.nft('delete table ip nat; delete table ip6 nat');
    await lab.gateway.nft(REDIRECT);
    for (const family of FAMILIES) {
      expect(await lab.laptop.tcp(lab.gateway[family], 80)).toBe('open');
      for (const port of [80, 8081]) expect(await lab.stranger.tcp(lab.gateway[family], port, quick)).toBe('silent');
    }
  });

  it('hears which packets are too big for the path, its own and those that it forwards', async () => {
    for (const host of [lab.laptop, far]) {
      const device = host === far ? 'eth0' : 'far';
      await host.exec('ip', ['link', 'set', device, 'mtu', '1300']);
    }
    const tooBig = ['-M', 'do', '-s', '1400'];
    for (const family of FAMILIES) {
      const says = family === 'ipv4' ? /Frag needed/ : /Packet too big/;
      const network = family === 'ipv4' ? '172.18.0.0/24' : 'fd18::/64';
      await lab.laptop.exec('ip', ['route', 'add', network, 'via', lab.gateway[family]]);
      for (const host of [lab.gateway, inside]) {
        expect(await ping(host, far[family], ...tooBig)).toMatch(says);
        expect(await ping(host, far[family])).toContain(' 1 received');
        expect((await host.exec('ip', ['route', 'get', far[family]])).stdout).toContain('mtu 1300');
      }
    }
  });
});
