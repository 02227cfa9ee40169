import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { LabHost } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

/*
 * A container behind the gateway whose ports are published as Docker does it: by destination NAT before routing, so that
 * the input hook never sees them.
 *
 *   laptop, stranger, phone ── 10.77.0.1  gateway  172.17.0.1 ── container 172.17.0.2
 *                                fd77::1           fd17::1                 fd17::2
 */
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;
/** A flow may end so long before and after its time (milliseconds). */
const EARLY = 800;
const LATE = 1500;

/** tcp/80 and udp/5060 as they are, tcp/443 to another port, tcp/8080 that nobody guards. */
const DOCKER = `
table ip nat {
  chain DOCKER {
    tcp dport { 80, 8080 } dnat to 172.17.0.2
    tcp dport 443 dnat to 172.17.0.2:8443
    udp dport 5060 dnat to 172.17.0.2
  }
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/24 oifname "eth0" masquerade; }
}
table ip6 nat {
  chain DOCKER {
    tcp dport { 80, 8080 } dnat to fd17::2
    tcp dport 443 dnat to [fd17::2]:8443
    udp dport 5060 dnat to fd17::2
  }
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip6 saddr fd17::/64 oifname "eth0" masquerade; }
}
`;

const OWN_DROP = `
table ip filter {
  set banned { type ipv4_addr; elements = { 10.77.0.2 } }
  chain INPUT { type filter hook input priority filter; policy accept; tcp dport 22 ip saddr @banned drop; }
  chain FORWARD { type filter hook forward priority filter; policy accept; tcp dport 80 ip saddr @banned drop; }
}
`;

describe('ports published by destination NAT', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let container: LabHost;

  const load = async (input: string) => {
    const { code, stderr } = await lab.gateway.exec('nft', ['-f', '-'], { input });
    expect(code, stderr).toBe(0);
  };
  /** Every table but ours, with the handles of its rules, which change when a rule is made anew. */
  const foreign = async () => {
    const { stdout } = await lab.gateway.exec('nft', ['-a', 'list', 'tables']);
    const tables = stdout.split('\n').filter((line) => line !== '' && !line.includes('inet sallyport'));
    const listings = tables.map((line) => {
      const [, family = '', name = ''] = line.split(' ');
      return lab.gateway.exec('nft', ['-a', 'list', 'table', family, name]);
    });
    return (await Promise.all(listings)).map((one) => one.stdout).join('');
  };
  const knock = async () => {
    for (const family of FAMILIES) await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    const grants = await eventually(
      () => daemon.grants(),
      (all) => all.length === 2,
    );
    return Math.max(...grants.map((grant) => Date.parse(grant.expires_at)));
  };

  beforeAll(async () => {
    lab = await Lab.create();
    container = await lab.behind('container', { ipv4: '172.17.0.', ipv6: 'fd17::' });
    await load(DOCKER);
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh', 'sip', 'web'], ttl: '3s' });
    for (const port of [80, 8080, 8443, 9999]) await container.tell('listenTcp', { port });
    await container.tell('listenUdp', { port: 5060 });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.stranger.tell('listenTcp', { port: 443 });
    await lab.stranger.tell('listenUdp', { port: 5060 });
    for (const host of [lab.stranger, lab.phone]) {
      for (const [flag, network, via] of [
        ['-4', '172.17.0.0/24', lab.gateway.ipv4],
        ['-6', 'fd17::/64', lab.gateway.ipv6],
      ]) {
        await host.exec('ip', [flag ?? '', 'route', 'add', network ?? '', 'via', via ?? '']);
      }
    }
    // A new link takes a moment until it carries IPv6.
    for (const family of FAMILIES) {
      await eventually(
        () => lab.stranger.tcp(lab.gateway[family], 8080),
        (verdict) => verdict === 'open',
      );
    }
  });

  afterAll(() => lab?.destroy());

  it.each(FAMILIES)('are closed to a stranger over %s, whatever port they lead to', async (family) => {
    for (const port of [80, 443]) {
      expect(await lab.stranger.tcp(lab.gateway[family], port, { timeout: 250 })).toBe('silent');
    }
    expect(await lab.stranger.udp(lab.gateway[family], 5060, { timeout: 250 })).toBe('silent');
    expect(await container.tell('udpSeen', { port: 5060, from: lab.stranger[family] })).toBe(0);
  });

  it.each(FAMILIES)(
    'leave unguarded ports, forwarded traffic and what the container begins alone, over %s',
    async (family) => {
      expect(await lab.stranger.tcp(lab.gateway[family], 8080)).toBe('open');
      for (const port of [80, 9999]) expect(await lab.stranger.tcp(container[family], port)).toBe('open');
      expect(await lab.stranger.udp(container[family], 5060)).toBe('open');
      expect(await container.tcp(lab.stranger[family], 443)).toBe('open');
      // A provider of the PBX in the container: it speaks from its SIP port, and hears the answer.
      const before = await container.tell<number>('udpSeen', { port: 5060, from: lab.stranger[family] });
      await container.tell('udpSend', { port: 5060, address: lab.stranger[family], toPort: 5060 });
      await eventually(
        () => container.tell<number>('udpSeen', { port: 5060, from: lab.stranger[family] }),
        (seen) => seen > before,
      );
    },
  );

  it('open after a knock and are cut at the end of the grant, TCP and UDP, also where the container goes on talking', async () => {
    const expiresAt = await knock();
    const tcp = [];
    const udp = [];
    for (const family of FAMILIES) {
      for (const port of [80, 443]) {
        tcp.push({ name: `tcp/${port} over ${family}`, flow: await lab.laptop.hold('tcp', lab.gateway[family], port) });
      }
      const flow = await lab.laptop.hold('udp', lab.gateway[family], 5060);
      udp.push({ address: lab.laptop[family], flow });
    }
    for (const { name, flow } of tcp) expect(await flow.ping(), name).toBe(true);
    // One of them the container begins, and it goes on with both.
    const [begun, called] = udp;
    expect(await begun?.flow.ping()).toBe(true);
    for (const { address, flow } of udp) {
      await container.tell('udpTalk', { port: 5060, address, toPort: flow.localPort });
    }
    expect(await called?.flow.ping()).toBe(true);
    const talking = Math.max(0, expiresAt - Date.now()) + LATE + 700;
    const spoken = udp.map(({ flow }) => flow.pulse({ quiet: talking, limit: talking }));
    const lasts = await Promise.all(tcp.map(({ flow }) => flow.pulse()));
    await Promise.all(spoken);
    await container.tell('udpHush');
    for (const { address } of udp) {
      lasts.push(await container.tell<number>('udpLastSeen', { port: 5060, from: address }));
    }
    for (const [i, name] of [
      ...tcp.map((one) => one.name),
      ...udp.map(({ address }) => `udp from ${address}`),
    ].entries()) {
      expect((lasts[i] ?? 0) - expiresAt, name).toBeLessThan(LATE);
      expect((lasts[i] ?? 0) - expiresAt, name).toBeGreaterThan(-EARLY);
    }
  });

  it('stay closed where somebody else drops, to a user with a grant too', async () => {
    await load(OWN_DROP);
    await knock();
    for (const port of [22, 80]) expect(await lab.laptop.tcp(lab.gateway.ipv4, port, { timeout: 250 })).toBe('silent');
    for (const port of [22, 80]) expect(await lab.laptop.tcp(lab.gateway.ipv6, port)).toBe('open');
    await load('flush set ip filter banned\n');
    for (const port of [22, 80]) expect(await lab.laptop.tcp(lab.gateway.ipv4, port)).toBe('open');
  });

  it('and all other rules of others are as they were, after loading, repairing, panic, unloading and loading again', async () => {
    const before = await foreign();
    expect(before).toContain('dnat to');
    expect(before).toContain('chain FORWARD');
    const now: Record<string, string> = {};
    await load('delete table inet sallyport\n');
    await eventually(
      () => lab.stranger.tcp(lab.gateway.ipv4, 443, { timeout: 100 }),
      (verdict) => verdict === 'silent',
    );
    now.repaired = await foreign();
    await daemon.cli('firewall', 'panic');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80)).toBe('open');
    now.opened = await foreign();
    await daemon.cli('firewall', 'apply');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80, { timeout: 250 })).toBe('silent');
    now.applied = await foreign();
    await daemon.cli('firewall', 'rollback');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80)).toBe('open');
    now.rolledBack = await foreign();
    await daemon.kill();
    now.stopped = await foreign();
    await daemon.launch();
    now.started = await foreign();
    await daemon.cli('firewall', 'confirm');
    await daemon.kill('SIGKILL');
    expect((await lab.gateway.exec('nft', ['delete', 'table', 'inet', 'sallyport'])).code).toBe(0);
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80, { timeout: 250 })).toBe('silent');
    now.restored = await foreign();
    for (const [when, listing] of Object.entries(now)) expect(listing, when).toBe(before);
  });
});
