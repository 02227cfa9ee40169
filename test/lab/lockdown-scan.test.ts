import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { LabHost } from '../support/lab/host.js';
import { Lab } from '../support/lab/lab.js';
import { type Peer, peerProgram } from '../support/peers.js';

/*
 * Lockdown as nmap sees it from outside, beside rules of others that let everything in: those of iptables-nft, of iptables-legacy
 * where the kernel has it, and of nftables.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
const TCP = [22, 80, 8080, 40_022];
const UDP = [5060, 7000, 45_000];

const FOREIGN = `
table inet other {
  set friends { type ipv4_addr; elements = { 10.77.0.3 } }
  chain input { type filter hook input priority -200; policy accept; ip saddr @friends accept; tcp dport 8080 counter accept; }
  chain forward { type filter hook forward priority -200; policy accept; counter accept; }
  chain late { type filter hook input priority 100; policy accept; counter accept; }
}
`;

/** What comes to the stranger but neighbour discovery and what the gateway tells everybody on the link. */
const COUNT_ANSWERS = `
table inet answers {
  counter any { }
  chain c {
    type filter hook prerouting priority raw; policy accept;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
    iifname "eth0" counter name any
  }
}
`;

describe('nmap, looking at a machine under lockdown', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let nmap: Peer;
  let before: string;
  let hasLegacy = false;

  /** The ports that are seen to be anything but silent, as `80/open`. */
  async function scan(from: LabHost, address: string, ...args: string[]): Promise<string[]> {
    if (nmap.path === undefined) throw new Error(nmap.reason);
    const ipv6 = address.includes(':') ? ['-6'] : [];
    const options = [...ipv6, '-Pn', '-n', '--max-retries', '1', '--min-rate', '20000', '-oG', '-', ...args, address];
    const { code, stdout, stderr } = await from.exec(nmap.path, options, { env: nmap.env, timeout: 90_000 });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('1 IP address (1 host up)');
    const seen = [...stdout.matchAll(/(\d+)\/([a-z|]+)\/(?:tcp|udp)/g)].map(([, port, state]) => `${port}/${state}`);
    return seen.filter((one) => !/\/(filtered|open\|filtered)$/.test(one));
  }

  const iptables = async (name: string, ...args: string[]) => {
    const program = peerProgram(`usr/sbin/${name}`);
    if (program.path === undefined) throw new Error(program.reason);
    return await lab.gateway.exec(program.path, args, { env: program.env });
  };
  /** What others have loaded, without the counts of their rules. */
  const foreign = async () => {
    const { stdout } = await lab.gateway.exec('nft', ['-s', 'list', 'ruleset']);
    const legacy = await iptables('iptables-legacy', '-S');
    return `${stdout.replace(/^table inet sallyport \{$.*?^\}$/ms, '').trim()}\n${legacy.stdout}`;
  };

  beforeAll(async () => {
    nmap = peerProgram('usr/bin/nmap');
    lab = await Lab.create();
    for (const port of TCP) await lab.gateway.tell('listenTcp', { port });
    for (const port of UDP) await lab.gateway.tell('listenUdp', { port });
    await lab.gateway.nft(FOREIGN);
    for (const name of ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy']) {
      for (const chain of ['INPUT', 'FORWARD']) {
        const { code, stderr } = await iptables(name, '-I', chain, '-j', 'ACCEPT');
        if (name.endsWith('legacy')) hasLegacy = code === 0;
        else expect(code, stderr).toBe(0);
      }
    }
    before = await foreign();
    daemon = lab.daemon({ config: 'firewall: {policy: lockdown}' });
    await daemon.start();
    await daemon.confirm();
  });

  afterAll(() => lab?.destroy());

  it('sees what is there from where everything is let in', async () => {
    for (const family of FAMILIES) {
      await daemon.json('allow', lab.phone[family]);
      const ports = [...TCP, 9].join(',');
      expect(await scan(lab.phone, lab.gateway[family], '-sS', '-p', ports)).toEqual([
        '9/closed',
        ...TCP.map((port) => `${port}/open`),
      ]);
    }
  });

  it('sees nothing open or closed from a stranger, on any port of either family', async () => {
    await lab.stranger.nft(COUNT_ANSWERS);
    const scans = FAMILIES.flatMap((family) =>
      [
        ['-sS', '-p-'],
        ['-sU', '-p-'],
        // Segments that begin nothing, and protocols other than TCP and UDP.
        ['-sA', '-p', '1-1000,32768-33768'],
        ['-sF', '-p', '1-1000,32768-33768'],
        ['-sO'],
      ].map((args) => scan(lab.stranger, lab.gateway[family], ...args)),
    );
    expect((await Promise.all(scans)).flat()).toEqual([]);
    const { stdout } = await lab.stranger.exec('nft', ['list', 'counter', 'inet', 'answers', 'any']);
    expect(stdout).toContain('packets 0 ');
  });

  it('leaves the rules of others as they were', async () => {
    expect(before).toContain('table inet other');
    expect(before).toContain('chain FORWARD');
    if (hasLegacy) expect(before).toContain('-A INPUT -j ACCEPT');
    expect(await foreign()).toBe(before);
  });
});
