/** More completed knocks than the kernel keeps for a daemon that does not read: the mailbox has those that were dropped. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventJson, LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const USERS = 30;
const EACH = 750;
const ALL = USERS * EACH;
const knockOf = (user: number) => [21_001 + 4 * user, 25_001 + 4 * user];

describe('a daemon that is overrun', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    for (let user = 0; user < USERS; user++) {
      const knock = knockOf(user).map((port) => `udp/${port}`);
      await daemon.addUser(`user${user}`, { knock: knock.join(','), services: ['ssh'], max_addresses: EACH });
    }
  });

  afterAll(() => lab?.destroy());

  it('answers every knock all the same, and each one once', async () => {
    const destination = lab.gateway.ipv4;
    const packets = Array.from({ length: ALL }, (_, n) => {
      const source = `10.90.${n >> 8}.${n & 255}`;
      return knockOf(n % USERS).map((port) => packet({ source, destination, protocol: 'udp', port }));
    });
    const before = await lastEvent();
    daemon.signal('SIGSTOP');
    try {
      await lab.laptop.raw(lab.gateway, packets.flat());
      expect(await netlinkDrops()).toBeGreaterThan(0);
    } finally {
      daemon.signal('SIGCONT');
    }
    await eventually(openGrants, (count) => count >= ALL, 60_000);
    // What is recorded is open in the kernel. Any event but one for each knock would make the last number another.
    await eventually(lastEvent, (seq) => seq >= before + ALL, 30_000);
    expect(await lastEvent()).toBe(before + ALL);
    const newest = (await daemon.api<EventJson[]>('GET', '/v1/journal?limit=10000')).body;
    expect(new Set(newest.map(({ event }) => event))).toEqual(new Set(['grant.opened']));
    expect(new Set(newest.map(({ address }) => address)).size).toBe(10_000);
    const { stdout } = await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'grant_ssh_4']);
    expect(stdout.match(/ expires /g)).toHaveLength(ALL);
    const { stdout: mailbox } = await lab.gateway.exec('nft', ['list', 'set', 'inet', 'sallyport', 'done_4']);
    expect(mailbox).not.toContain('elements');
  });

  /** Messages that the kernel dropped before some netlink socket of the gateway read them. */
  async function netlinkDrops(): Promise<number> {
    const { stdout } = await lab.gateway.exec('cat', ['/proc/net/netlink']);
    const drops = stdout
      .split('\n')
      .slice(1)
      .map((line) => Number(line.trim().split(/\s+/)[8] ?? 0));
    return drops.reduce((sum, count) => sum + count, 0);
  }

  async function openGrants(): Promise<number> {
    const { body } = await daemon.api<{ open: number }[]>('GET', '/v1/users');
    return body.reduce((sum, { open }) => sum + open, 0);
  }

  async function lastEvent(): Promise<number> {
    return (await daemon.api<EventJson[]>('GET', '/v1/journal?limit=1')).body[0]?.seq ?? 0;
  }
});
