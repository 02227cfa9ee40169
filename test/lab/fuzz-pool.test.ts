import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressBytes, parseAddress } from '#dist/core/address.js';
import { boundOf, casesOf, report, SEED } from '../support/fuzz/campaign.js';
import type { LabDaemon, UserJson } from '../support/lab/daemon.js';
import { type LabHost, mustRun } from '../support/lab/host.js';
import { eventually, Lab } from '../support/lab/lab.js';

const PACKETS = 210_000;
/** So many at a time: what the bursts leave in the queues is dealt with in between. */
const BATCH = 35_000;
const USERS = ['alice', 'bob', 'carol', 'dave'];

const NETWORKS = { ipv4: '10.79.0.', ipv6: 'fd79::' };

/** Counts, behind our rules, what came through to the pool and to guarded ports, and what else came. */
const BEHIND = `table inet behind {
  counter through {}
  counter others {}
  chain input {
    type filter hook input priority 10; policy accept;
    meta l4proto { tcp, udp } th dport 21000-29999 counter name through
    tcp dport { 22, 80, 443, 5061 } counter name through
    udp dport { 5060, 10000-20000 } counter name through
    counter name others
  }
}`;

describe('random and bent packets on the pool', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let users: UserJson[];
  /** Joined to the gateway directly: a bridge would keep some of what is malformed to itself. */
  let sender: LabHost;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'knock: {strikes: off}' });
    await daemon.start();
    await daemon.confirm();
    // Random ports, as `user add` draws them.
    users = await Promise.all(USERS.map((name) => daemon.addUser(name, { services: ['ssh', 'sip'] })));
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenUdp', { port: 5060 });
    await lab.gateway.nft(BEHIND);
    sender = await lab.behind('sender', NETWORKS);
  });

  afterAll(() => lab?.destroy());

  const received = async () => {
    const { stdout } = await lab.gateway.exec('cat', ['/sys/class/net/sender/statistics/rx_packets']);
    return Number(stdout);
  };

  const counted = async (name: 'through' | 'others') => {
    const { stdout } = await lab.gateway.exec('nft', [`list counter inet behind ${name}`]);
    return Number(/\bpackets (\d+)/.exec(stdout)?.[1]);
  };

  const mailboxes = async () => {
    const lists = await Promise.all(
      ['done_4', 'done_6'].map((set) => lab.gateway.exec('nft', [`list set inet sallyport ${set}`])),
    );
    return lists.filter(({ code, stdout }) => code !== 0 || stdout.includes('elements')).length;
  };

  it(
    'open nothing, complete nothing and pass nothing, and the gateway goes on',
    async () => {
      const { pid } = daemon;
      const total = casesOf(PACKETS);
      const link = await mustRun('ip', ['-j', '-n', lab.gateway.namespace, 'link', 'show', 'sender']);
      const [{ address: mac }] = JSON.parse(link) as [{ address: string }];
      const bytes = (address: string) => [...addressBytes(parseAddress(address))];
      const options = {
        ...{ mac, ipv4: bytes(`${NETWORKS.ipv4}1`), ipv6: bytes(`${NETWORKS.ipv6}1`) },
        sequences: users.map(({ sequence }) => sequence),
      };
      const startedAt = performance.now();
      const heard = await received();
      const kinds: Record<string, number> = {};
      for (let sent = 0, batch = 0; sent < total; batch++) {
        const count = Math.min(BATCH, total - sent);
        const some = await sender.tell<Record<string, number>>('fuzz', { ...options, count, seed: SEED + batch });
        for (const [kind, n] of Object.entries(some)) kinds[kind] = (kinds[kind] ?? 0) + n;
        sent += count;
      }
      const told = `SALLYPORT_FUZZ_SEED=${SEED}, ${JSON.stringify(kinds)}`;
      expect(
        Object.values(kinds).reduce((sum, n) => sum + n, 0),
        told,
      ).toBe(total);
      await eventually(received, (count) => count - heard >= total);
      report('packets on the pool', total, (performance.now() - startedAt) / 1000);

      expect(await counted('through'), told).toBe(0);
      expect(await counted('others'), told).toBeGreaterThan(total / 100);
      expect(await mailboxes(), told).toBe(0);
      expect(await daemon.grants(), told).toEqual([]);
      const events = (await daemon.events()).filter(({ event }) => /^(grant|attempt)\./.test(event));
      expect(events, told).toEqual([]);
      expect(daemon.pid).toBe(pid);
      expect(await daemon.json('status')).toMatchObject({ ready: true });
      expect(daemon.output).not.toMatch(/"level":(50|60)/);
    },
    boundOf(PACKETS),
  );

  it.each(['ipv4', 'ipv6'] as const)('leave each user able to get in, over %s', async (family) => {
    for (const [index, { name, sequence }] of users.entries()) {
      const host = [lab.laptop, lab.phone][index % 2] ?? lab.laptop;
      await host.knock(lab.gateway[family], sequence);
      await eventually(
        () => daemon.grants(),
        (grants) => grants.some(({ user, address }) => user === name && address === host[family]),
      );
    }
    expect(await lab.laptop.tcp(lab.gateway[family], 22)).toBe('open');
  });
});
