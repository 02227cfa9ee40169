import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';

describe('the gate', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
    await daemon.addUser('bob', { knock: BOB, services: ['sip', 'web'], ttl: '30m' });
    await lab.gateway.tell('listenTcp', { port: 22 });
    await lab.gateway.tell('listenTcp', { port: 80 });
    await lab.gateway.tell('listenUdp', { port: 5060 });
  });

  afterAll(() => lab?.destroy());

  it('answers a stranger on no guarded port, TCP or UDP, IPv4 or IPv6', async () => {
    for (const address of [lab.gateway.ipv4, lab.gateway.ipv6]) {
      for (const port of [22, 80, 443, 5061])
        expect(await lab.stranger.tcp(address, port, { timeout: 250 })).toBe('silent');
      expect(await lab.stranger.udp(address, 5060, { timeout: 250 })).toBe('silent');
    }
  });

  it.each(['ipv4', 'ipv6'] as const)(
    'lets a user in after the knock, to the services of that user alone, over %s',
    async (family) => {
      const address = lab.gateway[family];
      await lab.laptop.knock(address, steps(ALICE));
      await eventually(
        () => lab.laptop.tcp(address, 22),
        (verdict) => verdict === 'open',
      );
      expect(await lab.laptop.tcp(address, 80, { timeout: 250 })).toBe('silent');
      expect(await lab.stranger.tcp(address, 22, { timeout: 250 })).toBe('silent');
      const grant = (await daemon.grants()).find((one) => one.address === lab.laptop[family]);
      expect(grant).toMatchObject({ user: 'alice', services: ['ssh'], method: 'knock' });
    },
  );

  it.each(['ipv4', 'ipv6'] as const)('lets a second user in by another knock of UDP alone, over %s', async (family) => {
    const address = lab.gateway[family];
    await lab.phone.knock(address, steps(BOB));
    await eventually(
      () => lab.phone.tcp(address, 80),
      (verdict) => verdict === 'open',
    );
    expect(await lab.phone.udp(address, 5060)).toBe('open');
    expect(await lab.phone.tcp(address, 22, { timeout: 250 })).toBe('silent');
  });

  it('says in the journal who was let in, when and how', async () => {
    const events = await daemon.events();
    expect(events.filter((one) => one.event === 'grant.opened').map(({ user, method }) => `${user} ${method}`)).toEqual(
      ['alice knock', 'alice knock', 'bob knock', 'bob knock'],
    );
  });
});
