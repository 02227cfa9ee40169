import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { arming, elementOf, grantElements, hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const WITHOUT_KOFFI = fileURLToPath(new URL('../support/lab/without-koffi.mjs', import.meta.url));
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
/** What is promised is 2 s; a machine with other work to do may take longer. */
const DRIFT_MS = 4000;

describe('without koffi everything goes through nft:', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 80 });
    daemon = lab.daemon({
      // One service that a user may have is not guarded: nothing in the kernel stands for it.
      config:
        'services: {ssh: [tcp/22], web: [tcp/80], other: [tcp/8080]}\nfirewall: {guard: [ssh, web], provisional: 60s}',
      env: { NODE_OPTIONS: `--import=${WITHOUT_KOFFI}` },
    });
    await daemon.start();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh', 'other'], ttl: '1h' });
    await daemon.addUser('bob', { knock: BOB, services: ['web'], ttl: '5s' });
  });
  afterAll(() => lab?.destroy());

  const sees = (host: 'laptop' | 'phone' | 'stranger', port = 22, family: 'ipv4' | 'ipv6' = 'ipv4') =>
    lab[host].tcp(lab.gateway[family], port, { timeout: 300 });
  const becomes = (look: () => Promise<string>, wanted: string, bound?: number) =>
    eventually(look, (verdict) => verdict === wanted, bound);

  it('the status says that knocks are polled', async () => {
    const { body } = await daemon.api<{ parts: { knock: { state: string; detail: string } } }>('GET', '/v1/status');
    expect(body.parts.knock).toMatchObject({ state: 'polling', detail: expect.stringContaining('netlink') });
    expect(daemon.output).toContain('SP_NETLINK_UNAVAILABLE');
  });

  it.each(['ipv4', 'ipv6'] as const)('a knock opens, and nobody else gets in, over %s', async (family) => {
    expect(await sees('laptop', 22, family)).toBe('silent');
    await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    await becomes(() => sees('laptop', 22, family), 'open');
    expect([await sees('laptop', 80, family), await sees('stranger', 22, family)]).toEqual(['silent', 'silent']);
    expect(await daemon.grantFor(lab.laptop[family])).toMatchObject({ user: 'alice', method: 'knock' });
  });

  it('the first knock has confirmed the guard', async () => {
    await eventually(
      () => daemon.eventsNamed('firewall.confirmed'),
      (events) => events.length === 1,
    );
    expect(await arming(lab.gateway)).toBe('for good');
  });

  it('a grant ends when its time is over', async () => {
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB));
    await becomes(() => sees('phone', 80), 'open');
    await becomes(() => sees('phone', 80), 'silent', 9000);
    const expired = await eventually(
      () => daemon.eventsNamed('grant.expired'),
      (events) => events.length > 0,
    );
    expect(expired).toMatchObject([{ user: 'bob', address: lab.phone.ipv4 }]);
  });

  it('the operator lets in and puts out', async () => {
    await daemon.json('allow', lab.phone.ipv4, '--for', '1h', '--services', 'ssh');
    await daemon.json('allow', `${lab.stranger.ipv4}/32`, '--services', 'web');
    expect([await sees('phone'), await sees('stranger', 80), await sees('stranger')]).toEqual([
      'open',
      'open',
      'silent',
    ]);
    await daemon.json('revoke', lab.phone.ipv4);
    await daemon.json('revoke', lab.stranger.ipv4);
    expect([await sees('phone'), await sees('stranger', 80)]).toEqual(['silent', 'silent']);
  });

  it('nothing was taken for drift so far', async () => {
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    expect(await daemon.eventsNamed('grant.renewed')).toEqual([]);
  });

  it.each([
    ['the whole ruleset is flushed', 'flush ruleset'],
    ['an element is deleted', 'delete element inet sallyport grant_ssh_4 { 10.77.0.2 }'],
    ['the guard is switched off', 'flush map inet sallyport active'],
    ['a stranger is let in', 'add element inet sallyport grant_ssh_4 { 10.77.0.3 timeout 1h }'],
    ['an entry of a range is smuggled in', 'add element inet sallyport entry_ssh_4 { 10.77.0.3 }'],
  ])('it is put right when %s', async (_, command) => {
    const before = await daemon.grantFor(lab.laptop.ipv4);
    const count = (await daemon.eventsNamed('drift.repaired')).length;
    await mustNft(lab.gateway, command);
    await eventually(
      () => daemon.eventsNamed('drift.repaired'),
      (events) => events.length > count,
      DRIFT_MS,
    );
    expect(await hasTable(lab.gateway)).toBe(true);
    expect(await arming(lab.gateway)).toBe('for good');
    expect([await sees('laptop'), await sees('stranger')]).toEqual(['open', 'silent']);
    const { expires } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect((expires ?? 0) / 1000).toBeLessThanOrEqual(before.remaining_s);
    expect((expires ?? 0) / 1000).toBeGreaterThan(before.remaining_s - 20);
  });

  it('a stop leaves the guard, and a start finds everything as it was', async () => {
    const before = await daemon.grants();
    expect(await daemon.kill('SIGTERM')).toBe(0);
    const repaired = 'drift.repaired';
    await daemon.launch();
    expect((await daemon.grants()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(await grantElements(lab.gateway)).toHaveLength(2);
    const count = (await daemon.eventsNamed(repaired)).length;
    await daemon.json('allow', lab.phone.ipv4, '--for', '1h');
    expect(await sees('phone')).toBe('open');
    expect(await daemon.eventsNamed(repaired)).toHaveLength(count);
  });
});
