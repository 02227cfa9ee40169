import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { peerProgram } from '../support/peers.js';

/*
 * A machine under lockdown: what it does itself goes on, what others want of it does not begin. The laptop knocks, the phone
 * is let in to everything for a while.
 */
const FAMILIES = ['ipv4', 'ipv6'] as const;
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const CONFIG = `
services: {ssh: [tcp/22], web: [tcp/80]}
firewall: {policy: lockdown, guard: [ssh]}
`;
/** Of services, of none, and inside the local port range. */
const TCP = [22, 80, 8080, 40_022];
const UDP = [5353, 7000, 45_000];

/** Alice's grants last longer. */
const isSoon = (at: number) => at < Date.now() + 60_000;

describe('a machine under lockdown', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  const ping = async (from: 'gateway' | 'stranger' | 'phone', address: string) => {
    const program = peerProgram('bin/ping');
    if (program.path === undefined) throw new Error(program.reason);
    const { code } = await lab[from].exec(program.path, ['-n', '-c', '1', '-W', '1', address], { env: program.env });
    return code === 0;
  };

  beforeAll(async () => {
    lab = await Lab.create();
    for (const port of TCP) await lab.gateway.tell('listenTcp', { port });
    for (const port of UDP) await lab.gateway.tell('listenUdp', { port });
    await lab.stranger.tell('listenTcp', { port: 443 });
    await lab.stranger.tell('listenUdp', { port: 53 });
    daemon = lab.daemon({ config: CONFIG });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '1h' });
  });

  afterAll(() => lab?.destroy());

  it('goes on with what it does itself, and hears the answers', async () => {
    for (const family of FAMILIES) {
      expect(await lab.gateway.tcp(lab.stranger[family], 443)).toBe('open');
      expect(await lab.gateway.tcp(lab.stranger[family], 9)).toBe('refused');
      for (const sourcePort of [0, 7001])
        expect(await lab.gateway.udp(lab.stranger[family], 53, { sourcePort })).toBe('open');
      expect(await ping('gateway', lab.stranger[family])).toBe(true);
    }
  });

  it.each(FAMILIES)('says nothing to a stranger over %s', async (family) => {
    const { stranger, gateway } = lab;
    const tries = [...TCP, 9].map((port) => stranger.tcp(gateway[family], port, { timeout: 500 }));
    tries.push(...UDP.map((port) => stranger.udp(gateway[family], port, { timeout: 500 })));
    expect(new Set(await Promise.all(tries))).toEqual(new Set(['silent']));
    for (const port of UDP) expect(await gateway.tell('udpSeen', { port, from: stranger[family] })).toBe(0);
    expect(await ping('stranger', gateway[family])).toBe(false);
  });

  it.each(FAMILIES)('opens to a knock what is its user’s and nothing else, over %s', async (family) => {
    await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    await eventually(
      () => lab.laptop.tcp(lab.gateway[family], 22, { timeout: 250 }),
      (verdict) => verdict === 'open',
    );
    for (const port of [80, 8080, 40_022])
      expect(await lab.laptop.tcp(lab.gateway[family], port, { timeout: 250 })).toBe('silent');
    expect(await lab.laptop.udp(lab.gateway[family], 7000, { timeout: 250 })).toBe('silent');
  });

  it('opens everything to a grant for all, and ends it in time', async () => {
    const { phone, gateway } = lab;
    const flows: Flow[] = [];
    for (const family of FAMILIES) {
      await daemon.json('allow', phone[family], '--for', '4s');
      for (const port of TCP) expect(await phone.tcp(gateway[family], port)).toBe('open');
      for (const port of UDP) expect(await phone.udp(gateway[family], port)).toBe('open');
      expect(await ping('phone', gateway[family])).toBe(true);
      for (const port of [8080, 40_022]) flows.push(await phone.hold('tcp', gateway[family], port));
      for (const port of [7000, 45_000]) flows.push(await phone.hold('udp', gateway[family], port));
    }
    const end = Math.max(...(await daemon.grants()).map(({ expires_at }) => Date.parse(expires_at)).filter(isSoon));
    for (const last of await Promise.all(flows.map((flow) => flow.pulse()))) expect(last - end).toBeLessThan(1500);
    for (const family of FAMILIES) {
      expect(await ping('phone', gateway[family])).toBe(false);
      expect(await gateway.tcp(phone[family], 9)).toBe('refused');
    }
  });

  it('takes what a DHCP server says, and nothing like it', async () => {
    await lab.gateway.tell('listenUdp', { port: 68 });
    await lab.gateway.tell('listenUdp', { port: 546 });
    const linkLocal = (await lab.gateway.exec('ip', ['-6', 'address', 'show', 'dev', 'eth0', 'scope', 'link'])).stdout;
    const address = `${/inet6 (\S+)\//.exec(linkLocal)?.[1]}%eth0`;
    const quick = { timeout: 300 };
    expect(await lab.stranger.udp(lab.gateway.ipv4, 68, { ...quick, sourcePort: 67 })).toBe('open');
    expect(await lab.stranger.udp(lab.gateway.ipv4, 68, quick)).toBe('silent');
    expect(await lab.stranger.udp(address, 546, { ...quick, sourcePort: 547 })).toBe('open');
    expect(await lab.stranger.udp(address, 546, quick)).toBe('silent');
    expect(await lab.stranger.udp(lab.gateway.ipv6, 546, { ...quick, sourcePort: 547 })).toBe('silent');
  });

  it('is found by its neighbours over IPv6, anew', async () => {
    for (const host of [lab.gateway, lab.laptop]) await host.exec('ip', ['-6', 'neighbour', 'flush', 'dev', 'eth0']);
    expect(await lab.laptop.tcp(lab.gateway.ipv6, 22)).toBe('open');
    await lab.gateway.exec('ip', ['-6', 'neighbour', 'flush', 'dev', 'eth0']);
    expect(await lab.gateway.tcp(lab.stranger.ipv6, 443)).toBe('open');
  });

  it('says that everything is closed', async () => {
    const shown = await daemon.cli('firewall', 'status');
    expect(shown.stdout).toMatch(/policy +lockdown/);
    expect((await daemon.cli('status')).stdout).toContain('guarding everything; ');
    const status = await daemon.json<{ notices: string[]; parts: { firewall: { policy: string } } }>('status');
    expect(status.parts.firewall.policy).toBe('lockdown');
    expect(status.notices).toEqual([]);
    expect((await daemon.json<{ guarded: object[] }>('firewall', 'status')).guarded).toHaveLength(2);
  });

  it('comes up as it was after the boot step and a restart', async () => {
    await daemon.kill('SIGKILL');
    await lab.gateway.exec('nft', ['delete', 'table', 'inet', 'sallyport']);
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 40_022)).toBe('open');
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    for (const port of TCP) expect(await lab.stranger.tcp(lab.gateway.ipv4, port, { timeout: 250 })).toBe('silent');
    expect(await lab.laptop.tcp(lab.gateway.ipv4, 22)).toBe('open');
    await daemon.launch();
    expect(daemon.output).not.toContain('the rules were changed');
    for (const port of TCP) expect(await lab.stranger.tcp(lab.gateway.ipv4, port, { timeout: 250 })).toBe('silent');
  });
});

describe('lockdown where sockets take the knocks', () => {
  let lab: Lab;

  afterAll(() => lab?.destroy());

  it('lets knocks in, and answers no port of the pool', async () => {
    lab = await Lab.create();
    const { gateway, laptop, stranger } = lab;
    const daemon = lab.daemon({ config: `${CONFIG}knock: {source: socket}` });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('bob', { knock: 'udp/21234,udp/28111,udp/24711', services: ['ssh'] });
    await gateway.tell('listenTcp', { port: 22 });
    for (const family of FAMILIES) {
      const tries = [21_234, 25_000].flatMap((port) => [
        stranger.tcp(gateway[family], port, { timeout: 500 }),
        stranger.udp(gateway[family], port, { timeout: 500 }),
      ]);
      expect(new Set(await Promise.all(tries))).toEqual(new Set(['silent']));
      await laptop.knock(gateway[family], steps('udp/21234,udp/28111,udp/24711'));
      await eventually(
        () => laptop.tcp(gateway[family], 22, { timeout: 250 }),
        (verdict) => verdict === 'open',
      );
    }
  });
});
